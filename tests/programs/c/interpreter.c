/* A small virtual machine, run by a switch, by computed goto and by function pointers: all three agree. */
#include "support.h"
enum { PUSH, ADD, SUB, MUL, DUP, SWAP, JUMP, JUMP_IF, LOAD, STORE, LESS, CALL, RETURN, HALT };
/* the sum of f(i) for i below 5000, where f(x) is 7x, and 7x - 1 from 3 on */
static const int32_t code[] = {PUSH,
                               0,
                               STORE,
                               0,
                               PUSH,
                               0,
                               STORE,
                               1,
                               /* 8: */ LOAD,
                               0,
                               CALL,
                               33,
                               LOAD,
                               1,
                               ADD,
                               STORE,
                               1,
                               /* 17: */ LOAD,
                               0,
                               PUSH,
                               1,
                               ADD,
                               DUP,
                               STORE,
                               0,
                               PUSH,
                               5000,
                               LESS,
                               JUMP_IF,
                               8,
                               LOAD,
                               1,
                               HALT,
                               /* 33: */ DUP,
                               PUSH,
                               7,
                               MUL,
                               SWAP,
                               PUSH,
                               3,
                               LESS,
                               JUMP_IF,
                               46,
                               PUSH,
                               1,
                               SUB,
                               /* 46: */ RETURN};
#define TOP stack[sp - 1]
#define BODY(next)                                        \
    X(PUSH) stack[sp++] = code[pc++];                     \
    next;                                                 \
    X(ADD) sp--;                                          \
    TOP += stack[sp];                                     \
    next;                                                 \
    X(SUB) sp--;                                          \
    TOP -= stack[sp];                                     \
    next;                                                 \
    X(MUL) sp--;                                          \
    TOP = (int32_t)((uint32_t)TOP * (uint32_t)stack[sp]); \
    next;                                                 \
    X(DUP) stack[sp] = TOP;                               \
    sp++;                                                 \
    next;                                                 \
    X(SWAP) {                                             \
        int32_t t = TOP;                                  \
        TOP = stack[sp - 2];                              \
        stack[sp - 2] = t;                                \
    }                                                     \
    next;                                                 \
    X(JUMP) pc = code[pc];                                \
    next;                                                 \
    X(JUMP_IF) sp--;                                      \
    pc = stack[sp] ? code[pc] : pc + 1;                   \
    next;                                                 \
    X(LOAD) stack[sp++] = memory[code[pc++]];             \
    next;                                                 \
    X(STORE) memory[code[pc++]] = stack[--sp];            \
    next;                                                 \
    X(LESS) sp--;                                         \
    TOP = TOP < stack[sp];                                \
    next;                                                 \
    X(CALL) calls[cp++] = pc + 1;                         \
    pc = code[pc];                                        \
    next;                                                 \
    X(RETURN) pc = calls[--cp];                           \
    next;
#define MACHINE                            \
    int32_t stack[64], memory[8] = {0};    \
    int calls[16], sp = 0, cp = 0, pc = 0; \
    long steps = 0;
static NOINLINE long by_switch(int32_t *result) {
    MACHINE
    for (;; steps++) switch (code[pc++]) {
#define X(op) case op:
            BODY(continue)
#undef X
            default: *result = TOP; return steps;
        }
}
static NOINLINE long by_goto(int32_t *result) {
    static const void *const labels[] = {&&PUSH,    &&ADD,  &&SUB,   &&MUL,  &&DUP,  &&SWAP,   &&JUMP,
                                         &&JUMP_IF, &&LOAD, &&STORE, &&LESS, &&CALL, &&RETURN, &&HALT};
    MACHINE
    goto *labels[code[pc++]];
#define X(op) op:
    BODY(steps++; goto * labels[code[pc++]])
#undef X
HALT:
    *result = TOP;
    return steps;
}
struct state {
    int32_t stack[64], memory[8];
    int calls[16], sp, cp, pc, running;
};
#define NAMED(op, body)                    \
    static void do_##op(struct state *m) { \
        int32_t *stack = m->stack;         \
        body;                              \
        (void)stack;                       \
    }
NAMED(PUSH, stack[m->sp++] = code[m->pc++])
NAMED(ADD, m->sp--; stack[m->sp - 1] += stack[m->sp]) NAMED(SUB, m->sp--; stack[m->sp - 1] -= stack[m->sp])
    NAMED(MUL, m->sp--; stack[m->sp - 1] = (int32_t)((uint32_t)stack[m->sp - 1] * (uint32_t)stack[m->sp]))
        NAMED(DUP, stack[m->sp] = stack[m->sp - 1]; m->sp++)
            NAMED(SWAP, int32_t t = stack[m->sp - 1]; stack[m->sp - 1] = stack[m->sp - 2]; stack[m->sp - 2] = t)
                NAMED(JUMP, m->pc = code[m->pc]) NAMED(JUMP_IF, m->sp--; m->pc = stack[m->sp] ? code[m->pc] : m->pc + 1)
                    NAMED(LOAD, stack[m->sp++] = m->memory[code[m->pc++]])
                        NAMED(STORE, m->memory[code[m->pc++]] = stack[--m->sp])
                            NAMED(LESS, m->sp--; stack[m->sp - 1] = stack[m->sp - 1] < stack[m->sp])
                                NAMED(CALL, m->calls[m->cp++] = m->pc + 1; m->pc = code[m->pc])
                                    NAMED(RETURN, m->pc = m->calls[--m->cp])
                                        NAMED(HALT, m->running = 0) static void (*const functions[])(struct state *) = {
                                            do_PUSH,    do_ADD,  do_SUB,   do_MUL,  do_DUP,  do_SWAP,   do_JUMP,
                                            do_JUMP_IF, do_LOAD, do_STORE, do_LESS, do_CALL, do_RETURN, do_HALT};

int main(void) {
    int32_t a, b;
    struct state m;
    memset(&m, 0, sizeof m);
    m.running = 1;
    long steps = -1;
    long x = by_switch(&a), y = by_goto(&b);
    while (m.running) {
        functions[code[m.pc++]](&m);
        steps++;
    }
    printf("%ld %ld %ld %d %d %d\n", x, y, steps, a, b, m.stack[m.sp - 1]);
    return x == y && y == steps ? 0 : 1;
}
