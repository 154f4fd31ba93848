/* printf: every conversion, flag, width and precision, for integers, text and doubles. */
#include <inttypes.h>
#include <stddef.h>
#include "support.h"

int main(void) {
    int integers[] = {0, 1, -1, 42, 2147483647, -2147483647 - 1};
    for (size_t i = 0; i < COUNT(integers); i++) {
        int v = integers[i];
        printf("[%d|%i|%u|%o|%x|%X|%#x|%#o|%+d|% d|%08d|%-8d|%8d|%.5d|%+.3d|%hhd|%hd]\n", v, v, (unsigned)v,
               (unsigned)v, (unsigned)v, (unsigned)v, (unsigned)v, (unsigned)v, v, v, v, v, v, v, v, (signed char)v,
               (short)v);
    }
    printf("%lld %llu %llx %" PRId64 " %" PRIu64 " %zu %td %jd\n", -9223372036854775807ll, 18446744073709551615ull,
           0xdeadbeefcafeull, INT64_MIN, UINT64_MAX, (size_t)123, (ptrdiff_t)-5, (intmax_t)77);
    double doubles[] = {0.0,    -0.0, 1.0, -1.5, 3.14159265358979, 1e10,   1e-10,  123456789.123456789, 1e100, 1e-300,
                        5e-324, 0.1,  2.5, 3.5,  999999.5,         0.0001, 0.00001};
    for (size_t i = 0; i < COUNT(doubles); i++) {
        double v = doubles[i];
        printf("[%f|%e|%g|%a|%.0f|%.3f|%.10e|%.17g|%+f|%012.3f|%-12.2f|%#.0f|%G|%E|%.1g]\n", v, v, v, v, v, v, v, v, v,
               v, v, v, v, v, v);
    }
    printf("%f %F %e %g %5.1f|\n", 1.0 / 0.0 * (double)(random_state != 0), -__builtin_inf(), __builtin_inf(),
           -__builtin_inf(), __builtin_inf());
    printf("[%s|%10s|%-10s|%.3s|%10.2s|%c|%5c|%-5c|%%]\n", "text", "right", "left", "cut short", "both", 'c', 'd', 'e');
    printf("[%*d|%-*d|%.*f|%*.*s]\n", 7, 42, 7, 42, 2, 2.71828, 8, 3, "abcdef");
    printf("[%2$s %1$s %2$s]\n", "one", "two");
    int written = 0;
    int total = printf("count%n me\n", &written);
    printf("%d %d\n", written, total);
    printf("[%p|%ls|%lc]\n", (void *)0x1234abcd, L"wide", L'w');
    char small[10];
    int needed = snprintf(small, sizeof small, "%s-%d", "truncated", 12345);
    printf("%s %d\n", small, needed);
    printf("%.30f\n%.60g\n%.0e %.0e\n", 0.1, 0.1, 2.5, 3.5);
    printf("%'d %.50s\n", 1234567, "end");
    return 0;
}
