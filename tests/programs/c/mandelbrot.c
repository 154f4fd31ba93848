/* The Mandelbrot set in doubles, floats and fixed point, drawn with characters. */
#include "support.h"
static int iterate_double(double x, double y) {
    double a = 0, b = 0;
    int n = 0;
    while (a * a + b * b < 4 && n < 200) {
        double t = a * a - b * b + x;
        b = 2 * a * b + y;
        a = t;
        n++;
    }
    return n;
}
static int iterate_float(float x, float y) {
    float a = 0, b = 0;
    int n = 0;
    while (a * a + b * b < 4 && n < 200) {
        float t = a * a - b * b + x;
        b = 2 * a * b + y;
        a = t;
        n++;
    }
    return n;
}
static int iterate_fixed(int64_t x, int64_t y) {
    int64_t a = 0, b = 0;
    int n = 0;
    while ((a * a + b * b) >> 24 < (int64_t)4 << 24 && n < 200) {
        int64_t t = ((a * a - b * b) >> 24) + x;
        b = (2 * a * b >> 24) + y;
        a = t;
        n++;
    }
    return n;
}

int main(void) {
    const char *shades = " .:-=+*#%@";
    long sums[3] = {0};
    for (int row = 0; row < 24; row++) {
        for (int column = 0; column < 64; column++) {
            double x = -2.1 + column * 2.8 / 64, y = -1.2 + row * 2.4 / 24;
            int d = iterate_double(x, y);
            sums[0] += d;
            sums[1] += iterate_float((float)x, (float)y);
            sums[2] += iterate_fixed((int64_t)(x * 16777216), (int64_t)(y * 16777216));
            putchar(shades[d == 200 ? 9 : d % 9]);
        }
        putchar('\n');
    }
    printf("%ld %ld %ld\n", sums[0], sums[1], sums[2]);
    return 0;
}
