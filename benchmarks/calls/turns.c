/* futex: two threads that take turns, each asleep until the other has signalled its condition variable.
 * group: calls
 * iterations: 100000
 */
#include <pthread.h>
#include "../kernels/kernel.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t come[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static long turn, turns;

static void *take_turns(void *mine) {
    long me = (long)mine;
    for (long i = 0; i < turns; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 2 != me) pthread_cond_wait(&come[me], &lock);
        turn++;
        pthread_cond_signal(&come[!me]);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static uint64_t run(long iterations) {
    pthread_t other;
    turns = iterations;
    if (pthread_create(&other, NULL, take_turns, (void *)1)) return 0;
    take_turns((void *)0);
    pthread_join(other, NULL);
    return turn == 2 * iterations;
}
