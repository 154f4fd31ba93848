/* Planets attract each other; energy and positions to the last bit. Only IEEE basic operations and square root. */
#include <math.h>
#include "support.h"
struct body {
    double x[3], v[3], mass;
};
static struct body bodies[6];
static double energy(void) {
    double e = 0;
    for (int i = 0; i < 6; i++) {
        e += bodies[i].mass *
             (bodies[i].v[0] * bodies[i].v[0] + bodies[i].v[1] * bodies[i].v[1] + bodies[i].v[2] * bodies[i].v[2]) / 2;
        for (int j = i + 1; j < 6; j++) {
            double s = 0;
            for (int k = 0; k < 3; k++) {
                double d = bodies[i].x[k] - bodies[j].x[k];
                s += d * d;
            }
            e -= bodies[i].mass * bodies[j].mass / sqrt(s);
        }
    }
    return e;
}
static void advance(double dt) {
    for (int i = 0; i < 6; i++)
        for (int j = i + 1; j < 6; j++) {
            double d[3], s = 0;
            for (int k = 0; k < 3; k++) {
                d[k] = bodies[i].x[k] - bodies[j].x[k];
                s += d[k] * d[k];
            }
            double f = dt / (s * sqrt(s));
            for (int k = 0; k < 3; k++) {
                bodies[i].v[k] -= d[k] * bodies[j].mass * f;
                bodies[j].v[k] += d[k] * bodies[i].mass * f;
            }
        }
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
}

int main(void) {
    for (int i = 0; i < 6; i++) {
        bodies[i].mass = i ? 0.03 / i : 40;
        for (int k = 0; k < 3; k++) {
            bodies[i].x[k] = i ? (double)(int)(next_random() % 2000 - 1000) / 40 : 0;
            bodies[i].v[k] = i ? (double)(int)(next_random() % 200 - 100) / 100 : 0;
        }
    }
    printf("%a\n", energy());
    for (int i = 1; i <= 3000; i++) {
        advance(0.001);
        if (i % 1000 == 0) printf("%d %a %.9f %a\n", i, energy(), bodies[1].x[0], bodies[5].v[2]);
    }
    return 0;
}
