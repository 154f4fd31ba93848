/* Variable arguments: mixed integers, doubles, pointers, structs; many of each, copied lists. */
#include <stdarg.h>
#include "support.h"
struct pair {
    int a, b;
};
struct mixed {
    double x;
    long n;
};
struct large {
    long words[5];
};

static NOINLINE double total(const char *kinds, ...) {
    va_list list, again;
    va_start(list, kinds);
    va_copy(again, list);
    double sum = 0;
    for (int round = 0; round < 2; round++)
        for (const char *k = kinds; *k; k++) switch (*k) {
                case 'i': sum += round ? va_arg(again, int) * 2 : va_arg(list, int); break;
                case 'l': sum += (double)(round ? va_arg(again, long) : va_arg(list, long)); break;
                case 'd': sum += round ? va_arg(again, double) / 4 : va_arg(list, double); break;
                case 's': sum += (double)strlen(round ? va_arg(again, char *) : va_arg(list, char *)); break;
                case 'p': {
                    struct pair p = round ? va_arg(again, struct pair) : va_arg(list, struct pair);
                    sum += p.a * 10 + p.b;
                    break;
                }
                case 'm': {
                    struct mixed m = round ? va_arg(again, struct mixed) : va_arg(list, struct mixed);
                    sum += m.x * (double)m.n;
                    break;
                }
                case 'L': {
                    struct large g = round ? va_arg(again, struct large) : va_arg(list, struct large);
                    for (int i = 0; i < 5; i++) sum += (double)g.words[i];
                    break;
                }
            }
    va_end(again);
    va_end(list);
    return sum;
}
static int forward(char *to, size_t size, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsnprintf(to, size, format, list);
    va_end(list);
    return n;
}

int main(void) {
    printf("%g\n", total("iii", 1, 2, 3));
    printf("%g\n", total("idididid", 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5));
    printf("%g\n", total("dddddddddddd", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.));
    printf("%g\n", total("llllllllll", 1l, 2l, 3l, 4l, 5l, 6l, 7l, 8l, 9l, 1l << 40));
    printf("%g\n", total("sips", "four", 7, (struct pair){3, 4}, "sixsix"));
    printf("%g\n", total("mmLpimd", (struct mixed){0.5, 8}, (struct mixed){1.25, 4}, (struct large){{1, 2, 3, 4, 5}},
                         (struct pair){1, 1}, 9, (struct mixed){2, 3}, 0.125));
    char text[100];
    int n = forward(text, sizeof text, "%d %s %.2f %c %lx", 5, "five", 5.5, '5', 0x5555555555555555l);
    printf("%s %d\n", text, n);
    return 0;
}
