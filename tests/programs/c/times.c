/* Time: clocks run forwards, sleeping sleeps, calendar arithmetic in UTC. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include "support.h"
static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void) {
    double before = seconds(CLOCK_MONOTONIC), last = before;
    int backwards = 0;
    for (int i = 0; i < 1000; i++) {
        double now = seconds(CLOCK_MONOTONIC);
        backwards += now < last;
        last = now;
    }
    struct timespec nap = {0, 20000000};
    nanosleep(&nap, NULL);
    double slept = seconds(CLOCK_MONOTONIC) - last;
    printf("%d %d\n", backwards, slept >= 0.02 && slept < 10);
    struct timeval tv;
    gettimeofday(&tv, NULL);
    time_t now = time(NULL);
    printf("%d %d\n", labs((long)(tv.tv_sec - now)) <= 1, now > 1600000000);
    printf("%d %d\n", seconds(CLOCK_PROCESS_CPUTIME_ID) >= 0, clock() != (clock_t)-1);
    struct rusage usage;
    struct tms t;
    printf("%d %d\n", getrusage(RUSAGE_SELF, &usage), times(&t) != (clock_t)-1);
    struct timespec resolution;
    clock_getres(CLOCK_REALTIME, &resolution);
    printf("%d\n", resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    time_t moments[] = {0, 951782400, 1709210096, 2147483647, 4102444800, -86400};
    for (size_t i = 0; i < COUNT(moments); i++) {
        struct tm *tm = gmtime(&moments[i]);
        char text[100];
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %b %j %U %p", tm);
        printf("%s %d %d\n", text, tm->tm_wday, timegm(tm) == moments[i]);
    }
    struct tm when = {.tm_year = 124, .tm_mon = 14, .tm_mday = -5, .tm_hour = 30};
    setenv("TZ", "UTC", 1);
    tzset();
    time_t normal = mktime(&when);
    printf("%lld %04d-%02d-%02d %02d\n", (long long)normal, when.tm_year + 1900, when.tm_mon + 1, when.tm_mday,
           when.tm_hour);
    printf("%s", asctime(&when));
    printf("%g\n", difftime(moments[2], moments[1]));
    struct timespec bad = {0, 2000000000};
    printf("%d\n", nanosleep(&bad, NULL) ? errno : 0);
    return 0;
}
