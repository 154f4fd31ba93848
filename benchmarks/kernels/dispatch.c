/* A small bytecode interpreter by computed goto, and calls through function pointers: indirect branches.
 * group: integer
 * iterations: 8100
 */
#include "kernel.h"
#define STEPS 20000
static unsigned char code[4096];
typedef uint64_t operation(uint64_t, uint64_t);
static uint64_t add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t rotate(uint64_t a, uint64_t b) { return a << 7 | a >> (57 - (b & 1)); }
static uint64_t mix(uint64_t a, uint64_t b) { return (a ^ b) * 0x9e3779b97f4a7c15u; }
static uint64_t pick(uint64_t a, uint64_t b) { return a & 8 ? a - b : b - a; }
static operation *const operations[] = {add, rotate, mix, pick};

__attribute__((noinline)) static uint64_t interpret(uint64_t a) {
    static const void *const labels[] = {&&op_add,  &&op_shift, &&op_xor,  &&op_call,
                                         &&op_skip, &&op_swap,  &&op_push, &&op_pop};
    uint64_t b = a * 3 + 1, stack[64];
    unsigned at = 0, depth = 0, left = STEPS;
#define NEXT                   \
    if (!--left) return a ^ b; \
    goto *labels[code[at++ & 4095]];
    NEXT op_add : a += b + at;
    NEXT op_shift : a = a << 3 | a >> 61;
    NEXT op_xor : a ^= b;
    NEXT op_call : a = operations[a >> 60 & 3](a, b);
    NEXT op_skip : if (a & 16) at++;
    NEXT op_swap : {
        uint64_t t = a;
        a = b;
        b = t;
    }
    NEXT op_push : stack[depth++ & 63] = a;
    NEXT op_pop : if (depth) b += stack[--depth & 63];
    NEXT
}

static uint64_t run(long iterations) {
    for (int i = 0; i < 4096; i++) code[i] = next_random() % 8;
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) sum = sum * 31 + interpret(sum + (uint64_t)i);
    return sum;
}
