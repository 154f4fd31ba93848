#include "cases.h"
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

CASE(clocks) {
    struct timespec time;
    for (int clock = 0; clock < 13; clock++)
        TELL(clock_gettime(clock, &time));
    SHOW(clock_gettime(99, &time)), SHOW(clock_getres(CLOCK_MONOTONIC, &time)), SHOW(time.tv_nsec), SHOW(clock_getres(99, &time)), SHOW(clock_getres(CLOCK_MONOTONIC, NULL));
    SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8)), SHOW(syscall(SYS_gettimeofday, 8, 0)), SHOW(syscall(SYS_gettimeofday, 0, 0)), TELL(times(NULL));
}
CASE(sleeping) {
    struct timespec past = {1, 0}, bad = {0, 1000000000}, negative = {-1, 0}, left = {77, 77};
    SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL)), SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL)), SHOW(nanosleep(&negative, &left)), SHOW(left.tv_sec), SHOW(clock_nanosleep(99, 0, &past, NULL)), SHOW(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &past, NULL)), SHOW(syscall(SYS_nanosleep, 8, 0));
    struct timespec begin, end, some = {0, 30000000};
    clock_gettime(CLOCK_MONOTONIC, &begin), SHOW(nanosleep(&some, NULL)), clock_gettime(CLOCK_MONOTONIC, &end);
    SHOW((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec >= 30000000);
}
static volatile int ticks;
static void tick(int number) { (void)number, ticks++; }
CASE(interval_timers) {
    struct itimerval timer = {{0, 5000}, {0, 5000}}, old;
    signal(SIGALRM, tick);
    SHOW(setitimer(ITIMER_REAL, &timer, NULL));
    while (ticks < 3)
        pause();
    SHOW(getitimer(ITIMER_REAL, &old)), SHOW(old.it_interval.tv_usec), SHOW(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, &old)), SHOW(old.it_interval.tv_usec), SHOW(getitimer(ITIMER_REAL, &old)), SHOW(old.it_value.tv_usec);
    timer.it_value.tv_usec = 1000000, SHOW(setitimer(ITIMER_REAL, &timer, NULL)), SHOW(setitimer(99, &timer, NULL)), SHOW(getitimer(99, &old)), SHOW(alarm(100)), SHOW(alarm(0)), SHOW(alarm(0));
    signal(SIGVTALRM, tick), timer.it_value.tv_usec = 1000, ticks = 0, SHOW(setitimer(ITIMER_VIRTUAL, &timer, NULL));
    while (ticks < 2)
        ;
    puts("virtual");
}
CASE(descriptors) {
    unsigned long long expired = 0;
    struct itimerspec timer = {{0, 0}, {0, 2000000}}, old;
    int file = SHOW(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    SHOW(read(file, &expired, 8)), SHOW(timerfd_settime(file, 0, &timer, &old)), SHOW(old.it_value.tv_nsec), usleep(20000), SHOW(read(file, &expired, 8)), SHOW(expired), SHOW(read(file, &expired, 8)), SHOW(timerfd_gettime(file, &old)), SHOW(old.it_value.tv_nsec);
    timer.it_value.tv_nsec = -1, SHOW(timerfd_settime(file, 0, &timer, NULL)), SHOW(timerfd_settime(0, 0, &old, NULL)), SHOW(timerfd_create(99, 0)), SHOW(timerfd_create(CLOCK_MONOTONIC, 77)), SHOW(timerfd_settime(file, 77, &old, NULL)), SHOW(timerfd_settime(file, 0, (void *)8, NULL));
}
CASE(posix_timers) {
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE}, event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    struct itimerspec time = {{0, 0}, {5, 0}}, now;
    signal(SIGUSR1, tick);
    SHOW(timer_create(CLOCK_MONOTONIC, &none, &timer)), SHOW(timer_settime(timer, 0, &time, NULL)), SHOW(timer_gettime(timer, &now)), SHOW(now.it_value.tv_sec >= 4), SHOW(timer_getoverrun(timer)), SHOW(timer_delete(timer)), ticks = 0;
    SHOW(timer_create(CLOCK_REALTIME, &event, &timer)), time.it_value = (struct timespec){0, 2000000}, SHOW(timer_settime(timer, 0, &time, NULL));
    while (ticks < 1)
        pause();
    SHOW(timer_delete(timer)), SHOW(timer_create(99, &none, &timer)), event.sigev_signo = 99, SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
}
