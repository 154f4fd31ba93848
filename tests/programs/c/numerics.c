/* Numerical methods with basic operations: fast Fourier transform, Runge-Kutta, Simpson, Newton, Gauss, polynomial fit. */
#include <math.h>
#include "support.h"
static void transform(double *re, double *im, int n, int sign, const double *cosines, const double *sines) {
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j];
            re[j] = t;
            t = im[i];
            im[i] = im[j];
            im[j] = t;
        }
    }
    for (int length = 2; length <= n; length *= 2)
        for (int start = 0; start < n; start += length)
            for (int k = 0; k < length / 2; k++) {
                double c = cosines[k * (n / length)], s = sign * sines[k * (n / length)];
                int a = start + k, b = a + length / 2;
                double r = re[b] * c - im[b] * s, i = re[b] * s + im[b] * c;
                re[b] = re[a] - r;
                im[b] = im[a] - i;
                re[a] += r;
                im[a] += i;
            }
}
static double f(double x) { return x * x * x - 2 * x - 5; }
static double curve(double x) { return 1 / (1 + x * x); }

int main(void) {
    enum { N = 256 };
    static double re[N], im[N], cosines[N], sines[N], keep[N];
    /* the unit circle by repeated half angles: only square roots, so every libm gives the same bits */
    double c = -1, s = 0;
    cosines[0] = 1;
    sines[0] = 0;
    for (int step = N / 2; step >= 1; step /= 2) {
        cosines[step] = c;
        sines[step] = s;
        for (int k = step; k < N; k += 2 * step)
            if (k != step) {
                int p = k - step;
                cosines[k] = cosines[p] * c - sines[p] * s;
                sines[k] = sines[p] * c + cosines[p] * s;
            }
        double h = sqrt((1 + c) / 2);
        s = sqrt((1 - c) / 2);
        c = h;
    }
    for (int i = 0; i < N; i++) {
        keep[i] = re[i] = (double)(int)(next_random() % 2000) / 1000 - 1;
        im[i] = 0;
    }
    transform(re, im, N, 1, cosines, sines);
    printf("%a %a %a\n", re[1], im[5], re[N / 2]);
    transform(re, im, N, -1, cosines, sines);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        double e = fabs(re[i] / N - keep[i]);
        if (e > worst) worst = e;
    }
    printf("%d\n", worst < 1e-12);
    double x = 2;
    for (int i = 0; i < 8; i++) x -= f(x) / (3 * x * x - 2);
    printf("%a %.15g\n", x, x);
    double area = 0;
    for (int i = 0; i < 1000; i++) {
        double a = i / 1000.0, b = (i + 1) / 1000.0;
        area += (b - a) / 6 * (curve(a) + 4 * curve((a + b) / 2) + curve(b));
    }
    printf("%.15g\n", area * 4);
    double y[2] = {1, 0}, dt = 0.01;
    for (int i = 0; i < 1000; i++) {
        double k1[2] = {y[1], -y[0]}, m[2] = {y[0] + dt / 2 * k1[0], y[1] + dt / 2 * k1[1]}, k2[2] = {m[1], -m[0]},
               n[2] = {y[0] + dt / 2 * k2[0], y[1] + dt / 2 * k2[1]}, k3[2] = {n[1], -n[0]},
               o[2] = {y[0] + dt * k3[0], y[1] + dt * k3[1]}, k4[2] = {o[1], -o[0]};
        for (int k = 0; k < 2; k++) y[k] += dt / 6 * (k1[k] + 2 * k2[k] + 2 * k3[k] + k4[k]);
    }
    printf("%a %a\n", y[0], y[1]);
    float mean = 0, spread = 0;
    for (int i = 1; i <= N; i++) {
        float v = (float)keep[i - 1], d = v - mean;
        mean += d / (float)i;
        spread += d * (v - mean);
    }
    printf("%a %a\n", (double)mean, (double)sqrtf(spread / N));
    double kahan = 0, rest = 0, plain = 0;
    for (int i = 1; i < 20000; i++) {
        double t = 1.0 / i, u = t - rest, v = kahan + u;
        rest = v - kahan - u;
        kahan = v;
        plain += t;
    }
    printf("%a %a\n", kahan, plain);
    return 0;
}
