/* The Mandelbrot set: scalar doubles in registers, comparisons that decide loops.
 * group: float
 * iterations: 350
 */
#include "kernel.h"

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long n = 0; n < iterations; n++)
        for (int row = 0; row < 120; row++)
            for (int column = 0; column < 160; column++) {
                double x = -2.1 + column * 2.8 / 160, y = -1.2 + (row + (double)n / 256) * 2.4 / 120, a = 0, b = 0;
                int count = 0;
                while (a * a + b * b < 4 && count < 250) {
                    double t = a * a - b * b + x;
                    b = 2 * a * b + y;
                    a = t;
                    count++;
                }
                sum = sum * 31 + (uint64_t)count;
            }
    return sum;
}
