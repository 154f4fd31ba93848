# A server on a socket: commands, a script, a snapshot by a fork, a benchmark, the end.
# needs: redis-server redis-cli redis-benchmark
redis-server --port 0 --unixsocket "$PWD/socket" --save '' > log &
server=$!
ask() { redis-cli -s "$PWD/socket" "$@"; }
until ask ping > /dev/null 2>&1; do sleep 0.1; done
ask set key value
ask get key
ask rpush list 3 1 2
ask sort list
ask eval 'local s = 0; for i = 1, 100000 do s = s + i end; return s' 0
ask save
ask bgsave
until ask info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.1; done
ask info persistence | grep -c rdb_last_bgsave_status:ok
redis-benchmark -s "$PWD/socket" -q -n 500 -c 10 -t set,get,incr > speed
tr '\r' '\n' < speed | grep -c 'requests per second'
ask get counter:__rand_int__
ask shutdown nosave
wait $server
echo "ended with $?"
