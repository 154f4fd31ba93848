/* Atomic operations and the order of plain accesses, between threads: totals that come out right, messages that arrive
 * whole, locks made of loads and stores.
 * guests: x86_64 riscv64
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 3
#define TURNS 40000

static _Atomic uint8_t small;
static _Atomic uint16_t word;
static _Atomic uint32_t number;
static _Atomic uint64_t large, bits, exchanged, largest;
static _Atomic unsigned __int128 wide;

static void *add(void *argument) {
    uint64_t seed = (uintptr_t)argument * 2654435761u + 1, mine = 0;
    for (int i = 0; i < TURNS; i++) {
        atomic_fetch_add(&small, 1);
        atomic_fetch_sub(&word, 3);
        atomic_fetch_add(&number, 5);
        uint64_t old = atomic_load(&large);
        while (!atomic_compare_exchange_weak(&large, &old, old * 3 + 1 - 2 * old + 6))
            ;
        atomic_fetch_xor(&bits, 1ull << (i & 63));
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        mine ^= seed;
        mine ^= atomic_exchange(&exchanged, seed);
        uint64_t top = atomic_load(&largest);
        unsigned __int128 was = atomic_load(&wide);
        while (!atomic_compare_exchange_weak(&wide, &was, was + (((unsigned __int128)1 << 64) | 1)))
            ;
        while (top < seed >> 16 && !atomic_compare_exchange_weak(&largest, &top, seed >> 16))
            ;
    }
    return (void *)mine;
}

/* A message is written before the flag, and seen whole by whoever has seen the flag. */
static volatile int flag, message[4], answer;

static void *send(void *unused) {
    for (int i = 1; i <= TURNS / 4; i++) {
        for (int k = 0; k < 4; k++)
            message[k] = i * (k + 1);
        atomic_signal_fence(memory_order_seq_cst);
        __atomic_store_n((int *)&flag, i, __ATOMIC_RELEASE);
        while (__atomic_load_n((int *)&answer, __ATOMIC_ACQUIRE) != i)
            sched_yield();
    }
    return NULL;
}

static void *receive(void *unused) {
    long wrong = 0;
    for (int i = 1; i <= TURNS / 4; i++) {
        while (__atomic_load_n((int *)&flag, __ATOMIC_ACQUIRE) != i)
            sched_yield();
        for (int k = 0; k < 4; k++)
            wrong += message[k] != i * (k + 1);
        __atomic_store_n((int *)&answer, i, __ATOMIC_RELEASE);
    }
    return (void *)wrong;
}

/* Peterson's lock: right only if a store is seen before a later load, as fences have it. */
static _Atomic int wants[2], turn;
static volatile long guarded;

static void *peterson(void *argument) {
    int me = (int)(intptr_t)argument;
    for (int i = 0; i < TURNS / 4; i++) {
        atomic_store(&wants[me], 1);
        atomic_store(&turn, !me);
        while (atomic_load(&wants[!me]) && atomic_load(&turn) == !me)
            sched_yield();
        guarded = guarded + 1;
        atomic_store_explicit(&wants[me], 0, memory_order_release);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    void *result;
    uint64_t mixed = 0;
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        mixed ^= (uintptr_t)result;
    }
    printf("8 bits %u, 16 bits %u, 32 bits %u\n", small, word, number);
    printf("64 bits %llu, xor %llx, largest %llx\n", (unsigned long long)large, (unsigned long long)bits,
           (unsigned long long)largest);
    printf("128 bits %llu %llu\n", (unsigned long long)(wide >> 64), (unsigned long long)wide);
    printf("exchanged: %s\n", mixed == exchanged ? "nothing lost" : "something lost");

    pthread_create(&threads[0], NULL, send, NULL);
    pthread_create(&threads[1], NULL, receive, NULL);
    pthread_join(threads[0], &result);
    pthread_join(threads[1], &result);
    printf("messages: %ld wrong\n", (long)(intptr_t)result);

    for (intptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, peterson, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &result);
    printf("Peterson's lock: %ld of %d\n", guarded, 2 * (TURNS / 4));
    return 0;
}
