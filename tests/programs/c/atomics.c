/* Atomic operations of every width: exchange, compare and exchange, add, and, or, xor, test and set, fences; between processes too. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"
#define ALL(type)                                                                                     \
    do {                                                                                              \
        type v = (type)next_random(), e = v, r;                                                       \
        uint64_t x = next_random();                                                                   \
        r = __atomic_fetch_add(&v, (type)x, __ATOMIC_SEQ_CST);                                        \
        h = fold(h, r);                                                                               \
        r = __atomic_add_fetch(&v, 3, __ATOMIC_RELAXED);                                              \
        h = fold(h, r);                                                                               \
        r = __atomic_fetch_sub(&v, (type)(x >> 7), __ATOMIC_ACQ_REL);                                 \
        h = fold(h, r);                                                                               \
        r = __atomic_fetch_and(&v, (type)(x >> 9), __ATOMIC_SEQ_CST);                                 \
        h = fold(h, r);                                                                               \
        r = __atomic_fetch_or(&v, (type)(x >> 11), __ATOMIC_SEQ_CST);                                 \
        h = fold(h, r);                                                                               \
        r = __atomic_xor_fetch(&v, (type)(x >> 13), __ATOMIC_SEQ_CST);                                \
        h = fold(h, r);                                                                               \
        r = __atomic_nand_fetch(&v, (type)(x >> 5), __ATOMIC_SEQ_CST);                                \
        h = fold(h, r);                                                                               \
        r = __atomic_exchange_n(&v, (type)(x >> 17), __ATOMIC_SEQ_CST);                               \
        h = fold(h, r);                                                                               \
        int ok = __atomic_compare_exchange_n(&v, &e, (type)5, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
        h = fold(h, (uint64_t)ok * 2 + e);                                                            \
        e = v;                                                                                        \
        ok = __atomic_compare_exchange_n(&v, &e, (type)77, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);    \
        h = fold(h, (uint64_t)ok + v);                                                                \
        __atomic_store_n(&v, (type)x, __ATOMIC_RELEASE);                                              \
        h = fold(h, __atomic_load_n(&v, __ATOMIC_ACQUIRE));                                           \
        r = __sync_val_compare_and_swap(&v, (type)x, (type)9);                                        \
        h = fold(h, r);                                                                               \
        h = fold(h, __sync_bool_compare_and_swap(&v, 8, 1));                                          \
        h = fold(h, v);                                                                               \
    } while (0)

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 200; i++) {
        ALL(uint8_t);
        ALL(uint16_t);
        ALL(uint32_t);
        ALL(uint64_t);
    }
    printf("%016llx\n", (unsigned long long)h);
    char flag = 0;
    int a = __atomic_test_and_set(&flag, __ATOMIC_SEQ_CST), b = __atomic_test_and_set(&flag, __ATOMIC_SEQ_CST);
    __atomic_clear(&flag, __ATOMIC_SEQ_CST);
    printf("%d %d %d\n", a, b, flag);
    struct shared {
        uint64_t total;
        uint32_t lock, guarded;
        uint8_t bytes[4];
    } *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int child = 0; child < 3; child++)
        if (!fork()) {
            for (int i = 0; i < 5000; i++) {
                __atomic_fetch_add(&s->total, 1, __ATOMIC_SEQ_CST);
                __atomic_fetch_add(&s->bytes[child], 1, __ATOMIC_RELAXED);
                if (i % 10 == 0) {
                    uint32_t want = 0;
                    while (!__atomic_compare_exchange_n(&s->lock, &want, 1, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
                        want = 0;
                        usleep(0);
                    }
                    s->guarded++;
                    __atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
                }
            }
            _exit(0);
        }
    while (wait(NULL) > 0) {}
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    printf("%llu %u %u %u\n", (unsigned long long)s->total, s->guarded, s->bytes[0], s->bytes[2]);
    void *head = NULL;
    struct node {
        void *next;
        int value;
    } nodes[10];
    for (int i = 0; i < 10; i++) {
        nodes[i].value = i;
        nodes[i].next = __atomic_load_n(&head, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&head, &nodes[i].next, &nodes[i], 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    }
    for (struct node *n = head; n; n = n->next) printf("%d ", n->value);
    putchar('\n');
    return 0;
}
