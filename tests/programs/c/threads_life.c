/* The life of threads: their own storage, ids, names and stacks, how they end, and very many of them.
 * qemu: 7.2 crashes where a thread is cancelled
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int own = 7;
static __thread char text[64];
static pthread_key_t key;
static int destroyed;

static void destroy(void *value) { __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST); }

static void *store(void *argument) {
    int number = (int)(intptr_t)argument;
    own += number;
    snprintf(text, sizeof text, "thread %d", number);
    pthread_setspecific(key, (void *)(intptr_t)number);
    for (int i = 0; i < 100; i++) {
        sched_yield();
        if (own != 7 + number || (int)(intptr_t)pthread_getspecific(key) != number)
            return (void *)-1;
    }
    return strdup(text);
}

static void *whoami(void *unused) {
    char name[16], path[64], line[64] = "";
    pthread_setname_np(pthread_self(), "a worker");
    pthread_getname_np(pthread_self(), name, sizeof name);
    pid_t tid = syscall(SYS_gettid);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file))
        line[strcspn(line, "\n")] = 0;
    printf("%s, %s, %s\n", name, line, tid != getpid() ? "an id of its own" : "the process's id");
    return (void *)(intptr_t)tid;
}

static void *end_deep(void *argument) {
    char frame[4096];
    memset(frame, (int)(intptr_t)argument, sizeof frame);
    if ((intptr_t)argument == 0)
        pthread_exit((void *)(intptr_t)frame[0]);
    void *result = end_deep((void *)((intptr_t)argument - 1));
    return (void *)((intptr_t)result + frame[17]);
}

static void *nothing(void *argument) { return argument; }

static int cleaned;
static void clean(void *argument) { cleaned += (int)(intptr_t)argument; }

static void *wait_for_ever(void *argument) {
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)10);
    if (argument)
        for (;;)
            pause();
    int ends[2];
    char byte;
    if (pipe(ends) == 0 && read(ends[0], &byte, 1) < 0)
        perror("read");
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *spin(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (volatile long i = 0;; i++)
        ;
    return NULL;
}

int main(void) {
    pthread_t threads[8];
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_key_create(&key, destroy);
    for (intptr_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, store, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%s\n", (char *)result);
        free(result);
    }
    printf("own %d, destroyed %d\n", own, destroyed);

    void *result;
    pthread_create(&threads[0], NULL, whoami, NULL);
    pthread_join(threads[0], &result);
    printf("the main thread's id is %s\n", syscall(SYS_gettid) == getpid() ? "the process's" : "another");

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    pthread_create(&threads[0], &attributes, end_deep, (void *)100);
    pthread_join(threads[0], &result);
    printf("ended deep: %ld\n", (long)(intptr_t)result);

    long sum = 0;
    for (intptr_t i = 0; i < 2000; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, nothing, (void *)i);
        if (error) {
            printf("number %ld: %s\n", (long)i, strerror(error));
            return 1;
        }
        pthread_join(thread, &result);
        sum += (intptr_t)result;
    }
    printf("one after the other: %ld\n", sum);
    sum = 0;
    pthread_t many[100];
    for (intptr_t i = 0; i < 100; i++)
        pthread_create(&many[i], NULL, nothing, (void *)i);
    for (int i = 0; i < 100; i++) {
        pthread_join(many[i], &result);
        sum += (intptr_t)result;
    }
    printf("many at once: %ld\n", sum);

    for (intptr_t i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, wait_for_ever, (void *)i);
        usleep(2000);
        pthread_cancel(threads[i]);
        pthread_join(threads[i], &result);
        printf("cancelled: %d, cleaned %d\n", result == PTHREAD_CANCELED, cleaned);
    }
    pthread_create(&threads[0], NULL, spin, NULL);
    usleep(2000);
    pthread_cancel(threads[0]);
    pthread_join(threads[0], &result);
    printf("cancelled: %d\n", result == PTHREAD_CANCELED);

    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[0], &attributes, nothing, NULL);
    pthread_attr_destroy(&attributes);
    return 0;
}
