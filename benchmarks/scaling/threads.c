/* Sums of products over blocks that threads take from a queue, under a mutex; a block is long enough that they seldom
 * meet. Arguments: iterations, threads.
 * group: threads
 * iterations: 600
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 2000000
#define MOST 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long left;
static uint64_t total;

static void *work(void *unused) {
    for (;;) {
        pthread_mutex_lock(&lock);
        long block = left > 0 ? left-- : 0;
        pthread_mutex_unlock(&lock);
        if (!block)
            return unused;
        uint64_t state = block * 0x9e3779b97f4a7c15u, sum = 0;
        for (int i = 0; i < BLOCK; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            sum += state * (state >> 32 | 1);
        }
        pthread_mutex_lock(&lock);
        total ^= sum;
        pthread_mutex_unlock(&lock);
    }
}

int main(int argc, char **argv) {
    pthread_t threads[MOST];
    int count = argc > 2 ? atoi(argv[2]) : 1;
    left = argc > 1 ? atol(argv[1]) : 1;
    for (int i = 0; i < count && i < MOST; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            return 1;
    for (int i = 0; i < count && i < MOST; i++)
        pthread_join(threads[i], NULL);
    printf("%016llx\n", (unsigned long long)total);
    return 0;
}
