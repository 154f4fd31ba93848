/* C11: _Generic, compound literals, designated initialisers, static assertions, statement expressions, nested initialisers.
 * guests: x86_64 riscv64
 */
#include <complex.h>
#include <stdbool.h>
#include "support.h"
#define KIND(x)                         \
    _Generic((x),                       \
        char: "char",                   \
        signed char: "signed char",     \
        unsigned char: "unsigned char", \
        short: "short",                 \
        int: "int",                     \
        unsigned: "unsigned",           \
        long: "long",                   \
        unsigned long: "unsigned long", \
        float: "float",                 \
        double: "double",               \
        char *: "text",                 \
        const char *: "constant text",  \
        bool: "bool",                   \
        default: "other")
#define SQUARE(x) _Generic((x), float: square_float, double: square_double, default: square_long)(x)
#define MAX(a, b)               \
    ({                          \
        __typeof__(a) x_ = (a); \
        __typeof__(b) y_ = (b); \
        x_ > y_ ? x_ : y_;      \
    })
static float square_float(float x) { return x * x; }
static double square_double(double x) { return x * x; }
static long square_long(long x) { return x * x; }
_Static_assert(sizeof(long) == 8, "64-bit longs");
struct point {
    int x, y;
};
struct line {
    struct point from, to;
    const char *name;
    double weights[4];
};
static int length(struct point p) { return p.x * p.x + p.y * p.y; }
static const char *const days[] = {[0] = "Sunday", [3] = "Wednesday", [6] = "Saturday"};

int main(void) {
    short s = 5;
    const char *c = "x";
    unsigned char u = 200;
    printf("%s %s %s %s %s %s %s\n", KIND(s), KIND('a'), KIND(1.5f), KIND(c), KIND(u), KIND(s + s), KIND((bool)1));
    printf("%g %g %ld\n", (double)SQUARE(1.5f), SQUARE(-2.5), SQUARE(s));
    struct line l = {.to.y = 7, .from = {1, 2}, .name = "line", .weights = {[2] = 0.5, 0.25}};
    printf("%d %d %d %d %s %g %g\n", l.from.x, l.from.y, l.to.x, l.to.y, l.name, l.weights[2], l.weights[3]);
    printf("%d %d\n", length((struct point){3, 4}), length((struct point){.y = s}));
    for (size_t i = 0; i < COUNT(days); i++) printf("%s ", days[i] ? days[i] : "-");
    int *numbers = (int[]){5, 3, 9, 1};
    printf("%d %g %d\n", MAX(numbers[0], numbers[2]), MAX(1.5, 0.5), MAX(s++, 2));
    printf("%d\n", s);
    bool flags[] = {5, 0, 0.5, c != NULL};
    int set = 0;
    for (size_t i = 0; i < COUNT(flags); i++) set = set * 2 + flags[i];
    double complex z = 1.5 - 2.0 * I, w = z * z / (0.5 + I);
    float complex v = (float complex)w + 1;
    printf("%d %a %a %a\n", set, creal(w), cimag(w), (double)crealf(v));
    enum colour { RED = 5, GREEN, BLUE = 1u << 30 } colour = GREEN;
    printf("%d %d %zu\n", colour, BLUE, sizeof(enum colour));
    return 0;
}
