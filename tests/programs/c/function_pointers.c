/* Calls through pointers: tables, callbacks, chains of objects with methods, functions that return functions. */
#include "support.h"
typedef long operation(long, long);
static long add(long a, long b) { return a + b; }
static long subtract(long a, long b) { return a - b; }
static long multiply(long a, long b) { return a * b % 1000003; }
static long larger(long a, long b) { return a > b ? a : b; }
static operation *const table[] = {add, subtract, multiply, larger};
static operation *choose(const char *name) {
    return !strcmp(name, "add") ? add : !strcmp(name, "subtract") ? subtract : multiply;
}

struct shape {
    const struct methods *methods;
    double a, b;
};
struct methods {
    const char *name;
    double (*area)(const struct shape *);
    void (*scale)(struct shape *, double);
};
static double square_area(const struct shape *s) { return s->a * s->a; }
static double box_area(const struct shape *s) { return s->a * s->b; }
static double ellipse_area(const struct shape *s) { return s->a * s->b * 3.125; }
static void scale_one(struct shape *s, double f) { s->a *= f; }
static void scale_both(struct shape *s, double f) {
    s->a *= f;
    s->b *= f;
}
static const struct methods square = {"square", square_area, scale_one}, box = {"box", box_area, scale_both},
                            ellipse = {"ellipse", ellipse_area, scale_both};

static void each(const int *values, int n, void (*visit)(int, void *), void *context) {
    for (int i = 0; i < n; i++) visit(values[i], context);
}
static void sum_up(int value, void *context) { *(long *)context += value; }
static void track(int value, void *context) {
    int *range = context;
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
}
typedef void step(int *);
static void halve(int *x);
static void triple(int *x);
static step *next_step(int x) { return x % 2 ? triple : halve; }
static void halve(int *x) { *x /= 2; }
static void triple(int *x) { *x = *x * 3 + 1; }

int main(void) {
    long value = 1;
    for (int i = 0; i < 10000; i++) value = table[next_random() % COUNT(table)](value, (long)(next_random() % 1000));
    printf("%ld %ld %ld\n", value, choose("subtract")(5, 9), choose("other")(1234, 5678));
    struct shape shapes[] = {{&square, 3, 0}, {&box, 2, 5}, {&ellipse, 4, 1.5}};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT(shapes); i++) {
            printf("%s %g; ", shapes[i].methods->name, shapes[i].methods->area(&shapes[i]));
            shapes[i].methods->scale(&shapes[i], 1.5);
        }
    int numbers[] = {5, -3, 99, 42, 0, -77};
    long sum = 0;
    int range[2] = {0, 0};
    each(numbers, 6, sum_up, &sum);
    each(numbers, 6, track, range);
    int x = 27, steps = 0;
    while (x != 1) {
        next_step(x)(&x);
        steps++;
    }
    printf("\n%ld %d %d %d\n", sum, range[0], range[1], steps);
    return 0;
}
