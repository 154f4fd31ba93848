/* What threads wait for each other with: mutexes of all kinds, conditions, barriers, read-write locks, semaphores,
 * once, spin locks, with and without timeouts; and that nothing is lost on the way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 4
#define TURNS 2000

static void start(pthread_t *threads, void *(*work)(void *)) {
    for (intptr_t i = 0; i < THREADS; i++) {
        int error = pthread_create(&threads[i], NULL, work, (void *)i);
        if (error) {
            printf("pthread_create: %s\n", strerror(error));
            exit(1);
        }
    }
}

static long join(pthread_t *threads) {
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (intptr_t)result;
    }
    return sum;
}

static struct timespec in_milliseconds(long count) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += count * 1000000;
    now.tv_sec += now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    return now;
}

/* --- mutexes ------------------------------------------------------------------------------------------------------ */
static pthread_mutex_t mutex;
static long counter;

static void *count(void *unused) {
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void mutexes(void) {
    static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                PTHREAD_MUTEX_ADAPTIVE_NP};
    for (int inherit = 0; inherit < 2; inherit++)
        for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            pthread_t threads[THREADS];
            pthread_mutexattr_t attributes;
            pthread_mutexattr_init(&attributes);
            pthread_mutexattr_settype(&attributes, kinds[k]);
            pthread_mutexattr_setprotocol(&attributes, inherit ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
            pthread_mutex_init(&mutex, &attributes);
            counter = 0;
            start(threads, count);
            join(threads);
            printf("mutex of kind %d, protocol %d: %ld\n", kinds[k], inherit, counter);
            pthread_mutex_lock(&mutex);
            if (kinds[k] == PTHREAD_MUTEX_ERRORCHECK)
                printf("once more: %s\n", strerror(pthread_mutex_lock(&mutex)));
            struct timespec soon = in_milliseconds(5);
            if (kinds[k] == PTHREAD_MUTEX_NORMAL && !inherit)
                printf("in time: %s\n", strerror(pthread_mutex_timedlock(&mutex, &soon)));
            pthread_mutex_unlock(&mutex);
            pthread_mutex_destroy(&mutex);
        }
}

/* --- conditions: a bounded queue ----------------------------------------------------------------------------------- */
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static long queue[8];
static int head, used;

static void put(long value) {
    pthread_mutex_lock(&mutex);
    while (used == 8)
        pthread_cond_wait(&not_full, &mutex);
    queue[(head + used++) % 8] = value;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
}

static long take(void) {
    pthread_mutex_lock(&mutex);
    while (!used)
        pthread_cond_wait(&not_empty, &mutex);
    long value = queue[head];
    head = (head + 1) % 8;
    used--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
    return value;
}

static void *produce_or_consume(void *argument) {
    intptr_t number = (intptr_t)argument;
    long sum = 0;
    for (int i = 1; i <= TURNS; i++)
        if (number % 2)
            put(i * number);
        else
            sum += take();
    return (void *)sum;
}

static void conditions(void) {
    pthread_t threads[THREADS];
    pthread_mutex_init(&mutex, NULL);
    start(threads, produce_or_consume);
    printf("queue: %ld\n", join(threads));
    struct timespec soon = in_milliseconds(5);
    pthread_mutex_lock(&mutex);
    printf("nobody signals: %s\n", strerror(pthread_cond_timedwait(&not_empty, &mutex, &soon)));
    pthread_mutex_unlock(&mutex);
}

/* --- barriers: a wave front ---------------------------------------------------------------------------------------- */
static pthread_barrier_t barrier;
static long cells[THREADS];

static void *wave(void *argument) {
    intptr_t number = (intptr_t)argument;
    long serial = 0;
    for (int turn = 0; turn < 200; turn++) {
        long left = cells[(number + THREADS - 1) % THREADS];
        serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
        cells[number] = (cells[number] * 31 + left + number + turn) % 1000003;
        pthread_barrier_wait(&barrier);
    }
    return (void *)serial;
}

static void barriers(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    start(threads, wave);
    printf("barrier: %ld times the last one;", join(threads));
    for (int i = 0; i < THREADS; i++)
        printf(" %ld", cells[i]);
    printf("\n");
}

/* --- read-write locks, semaphores, spin locks, once ---------------------------------------------------------------- */
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];

static void *read_or_write(void *argument) {
    long wrong = 0;
    for (int i = 0; i < TURNS; i++)
        if ((i + (intptr_t)argument) % 4 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]--;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            wrong += pair[0] + pair[1] != 0;
            pthread_rwlock_unlock(&rwlock);
        }
    return (void *)wrong;
}

static sem_t semaphore;
static int inside, most;

static void *enter(void *unused) {
    for (int i = 0; i < 500; i++) {
        sem_wait(&semaphore);
        int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        if (now > 2)
            __atomic_store_n(&most, now, __ATOMIC_SEQ_CST);
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        sem_post(&semaphore);
    }
    return NULL;
}

static pthread_spinlock_t spin;

static void *spin_count(void *unused) {
    for (int i = 0; i < TURNS; i++) {
        pthread_spin_lock(&spin);
        counter++;
        pthread_spin_unlock(&spin);
    }
    return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialise(void) { printf("initialised\n"); }

static void *use(void *unused) {
    pthread_once(&once, initialise);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    setvbuf(stdout, NULL, _IOLBF, 0);
    mutexes();
    conditions();
    barriers();
    start(threads, read_or_write);
    long wrong = join(threads);
    printf("read-write lock: %ld wrong, %ld written\n", wrong, pair[0]);
    sem_init(&semaphore, 0, 2);
    start(threads, enter);
    join(threads);
    struct timespec soon = in_milliseconds(5);
    sem_wait(&semaphore);
    sem_wait(&semaphore);
    int result = sem_timedwait(&semaphore, &soon);
    printf("semaphore: most %d, then %d %s\n", most, result, strerror(errno));
    counter = 0;
    pthread_spin_init(&spin, 0);
    start(threads, spin_count);
    join(threads);
    printf("spin lock: %ld\n", counter);
    start(threads, use);
    join(threads);
    return 0;
}
