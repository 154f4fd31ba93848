/* Code that changes while other threads run it: a function is rewritten in place, pages of code come and go, and a thread
 * that writes its own code does so beside others. Whoever has seen that there is new code runs the new code.
 * guests: x86_64
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define READERS 3
#define VERSIONS 400
#define PAGES 60

typedef int (*function)(void);

static _Atomic int version, seen[READERS], stop;
static _Atomic(function) current;
static unsigned char *place;

static void serialize(void) {
    unsigned a, b, c, d;
    __cpuid(0, a, b, c, d);
}

/* nop nop nop; mov eax, value; ret: the value is aligned, so that it changes at once */
static void put(unsigned char *at, int value) {
    static const unsigned char code[] = {0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(at, code, sizeof code);
    memcpy(at + 4, &value, 4);
}

static void *run_what_changes(void *argument) {
    long wrong = 0, last = 0;
    intptr_t number = (intptr_t)argument;
    while (last < VERSIONS) {
        int least = atomic_load(&version);
        serialize();
        int got = ((function)place)();
        wrong += got < least || got < last || got > VERSIONS;
        last = got;
        atomic_store(&seen[number], got);
        if (wrong > 1000)
            break;
    }
    return (void *)wrong;
}

static void *run_what_comes_and_goes(void *argument) {
    intptr_t number = (intptr_t)argument;
    long wrong = 0;
    while (!atomic_load(&stop)) {
        int least = atomic_load(&version);
        serialize();
        wrong += atomic_load(&current)() < least;
        atomic_store(&seen[number], least); /* nothing older is used any more */
    }
    return (void *)wrong;
}

static void *write_own(void *argument) {
    unsigned char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long wrong = 0;
    for (int i = 0; i < VERSIONS; i++) {
        put(own + i % 8 * 64, i);
        wrong += ((function)(own + i % 8 * 64))() != i;
    }
    munmap(own, 4096);
    return (void *)wrong;
}

static void wait_until_seen(int least) {
    for (int i = 0; i < READERS; i++)
        while (atomic_load(&seen[i]) < least)
            sched_yield();
}

static long join(pthread_t *threads) {
    long wrong = 0;
    for (int i = 0; i < READERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += (long)result;
    }
    return wrong;
}

int main(void) {
    pthread_t threads[READERS];
    place = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    put(place, 0);
    for (intptr_t i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, run_what_changes, (void *)i);
    for (int next = 1; next <= VERSIONS; next++) {
        atomic_store((_Atomic int *)(place + 4), next);
        atomic_store(&version, next);
        if (next % 8 == 0)
            wait_until_seen(next);
    }
    printf("in place: %ld wrong\n", join(threads));

    unsigned char *pages[PAGES + 1];
    memset((void *)seen, 0, sizeof seen);
    atomic_store(&version, 0);
    for (int next = 0; next <= PAGES; next++) {
        pages[next] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        put(pages[next], next);
        mprotect(pages[next], 4096, PROT_READ | PROT_EXEC);
        atomic_store(&current, (function)pages[next]);
        atomic_store(&version, next);
        if (next == 0)
            for (intptr_t i = 0; i < READERS; i++)
                pthread_create(&threads[i], NULL, run_what_comes_and_goes, (void *)i);
        wait_until_seen(next);
        if (next)
            munmap(pages[next - 1], 4096);
    }
    atomic_store(&stop, 1);
    printf("coming and going: %ld wrong\n", join(threads));

    for (intptr_t i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, write_own, NULL);
    printf("their own: %ld wrong\n", join(threads));
    return 0;
}
