/* strtol and its family, strtod, sscanf, errno on overflow. */
#include <errno.h>
#include "support.h"

int main(void) {
    const char *integers[] = {
        "0", "42",  "-17",       "  +99xyz", "0x1F", "0755", "99999999999999999999", "-99999999999999999999",
        "",  "abc", "2147483648"};
    int bases[] = {0, 8, 10, 16, 36};
    for (size_t i = 0; i < COUNT(integers); i++)
        for (size_t b = 0; b < COUNT(bases); b++) {
            char *end;
            errno = 0;
            long value = strtol(integers[i], &end, bases[b]);
            int error = errno;
            unsigned long u = strtoul(integers[i], NULL, bases[b]);
            printf("%ld/%lu/%d/%d ", value, u, (int)(end - integers[i]), error);
        }
    putchar('\n');
    const char *reals[] = {"0",
                           "-0",
                           "1",
                           "3.14159265358979323846",
                           "1e308",
                           "1e309",
                           "-1e400",
                           "4.9e-324",
                           "2e-324",
                           "1e-400",
                           "0x1.8p3",
                           "inf",
                           "-Infinity",
                           "nan",
                           "179769313486231580793e289",
                           "2.2250738585072011e-308",
                           "9007199254740993",
                           "0.1",
                           "123456789012345678901234567890",
                           ".5",
                           "5.",
                           "1e",
                           "1.7976931348623159e308"};
    for (size_t i = 0; i < COUNT(reals); i++) {
        char *end;
        errno = 0;
        double value = strtod(reals[i], &end);
        uint64_t bits = value == value ? double_bits(value) : 0x7ff8000000000000u;
        printf("%s -> %016llx %d %d, ", reals[i], (unsigned long long)bits, (int)(end - reals[i]), errno);
        printf("%08x\n", value == value ? float_bits(strtof(reals[i], NULL)) : 0);
    }
    int a, b, n;
    unsigned x;
    char word[20], set[20], c;
    double d;
    float f;
    long long big;
    n = sscanf("12 -7 ff word, [abc123] q 2.5 -1e3 9876543210", "%d %d %x %19[a-z], [%19[a-c0-9]] %c %lf %f %lld", &a,
               &b, &x, word, set, &c, &d, &f, &big);
    printf("%d: %d %d %u %s %s %c %g %g %lld\n", n, a, b, x, word, set, c, d, (double)f, big);
    n = sscanf("2024-03-15T10:20:30", "%d-%2d-%dT%*d:%i%n", &a, &b, (int *)&x, &n, &n);
    printf("%d %d %d %u\n", n, a, b, x);
    printf("%d %ld %g %d\n", atoi("123abc"), atol("-456"), atof("7.25e1"), sscanf("", "%d", &a));
    return 0;
}
