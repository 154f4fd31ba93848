/* Shared by the test programs: random numbers whose values no compiler can foresee, a running hash, raw float bits. */
#ifndef SUPPORT_H
#define SUPPORT_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOINLINE __attribute__((noinline))

/* volatile, so that nothing is computed at compile time */
static volatile uint64_t random_state = 0x9e3779b97f4a7c15u;

static inline uint64_t next_random(void) {
    uint64_t x = random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random_state = x;
    return x * 0x2545f4914f6cdd1du;
}

static inline uint64_t fold(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3u + (hash >> 29); }

static inline uint64_t fold_bytes(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = fold(hash, ((const unsigned char *)bytes)[i]);
    return hash;
}

static inline uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint32_t float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_from(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float float_from(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
#endif
