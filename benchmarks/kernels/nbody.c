/* Five planets attract each other: scalar doubles, divisions and square roots.
 * group: float
 * iterations: 9000000
 */
#include "kernel.h"
#include <math.h>
#define BODIES 5
static struct body {
    double x, y, z, vx, vy, vz, mass;
} bodies[BODIES];

static void advance(double dt) {
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            struct body *a = &bodies[i], *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz + 0.01, force = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * force;
            a->vy -= dy * b->mass * force;
            a->vz -= dz * b->mass * force;
            b->vx += dx * a->mass * force;
            b->vy += dy * a->mass * force;
            b->vz += dz * a->mass * force;
        }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}
static double unit(void) { return (double)(next_random() >> 11) / 9007199254740992.0 - 0.5; }

static uint64_t run(long iterations) {
    for (int i = 0; i < BODIES; i++)
        bodies[i] = (struct body){unit() * 20, unit() * 20, unit() * 20, unit(), unit(), unit(), i ? 0.05 : 40};
    for (long i = 0; i < iterations; i++) advance(0.001);
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++) sum = sum * 31 + double_bits(bodies[i].x) + double_bits(bodies[i].vz);
    return sum;
}
