# What stress-ng checks of its own work.
# needs: stress-ng
# long
for stressor in cpu:30 vm:10 fork:30 futex:200 pthread:30 mmap:1 sigsegv:200 pipe:1000 poll:100 signal:500 timer:200 \
    sem:200 shm:2 shm-sysv:2 mremap:2 vfork:20 clone:20 switch:500 eventfd:200 epoll:20 sigq:200 itimer:200; do
  name=${stressor%:*}
  stress-ng --quiet --$name 1 --$name-ops ${stressor#*:} --verify --timeout 60 > output 2>&1
  echo "$name $?"
done
