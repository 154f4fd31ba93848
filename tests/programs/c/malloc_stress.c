/* malloc, calloc, realloc, free, aligned_alloc in random order, small to megabytes; contents stay intact. */
#include "support.h"
#define SLOTS 400
static struct {
    unsigned char *at;
    size_t size;
    unsigned char mark;
} slots[SLOTS];

static int check(int i) {
    for (size_t k = 0; k < slots[i].size; k += slots[i].size / 16 + 1)
        if (slots[i].at[k] != slots[i].mark) return 1;
    return 0;
}

int main(void) {
    int wrong = 0;
    size_t live = 0, peak = 0;
    for (int round = 0; round < 20000; round++) {
        int i = (int)(next_random() % SLOTS);
        size_t size = next_random() % (round % 100 == 0 ? 2000000 : round % 10 == 0 ? 20000 : 200) + 1;
        unsigned char mark = (unsigned char)next_random();
        if (!slots[i].at) {
            switch (round % 3) {
                case 0: slots[i].at = malloc(size); break;
                case 1:
                    slots[i].at = calloc(size, 1);
                    for (size_t k = 0; k < size; k += size / 8 + 1) wrong += slots[i].at[k] != 0;
                    break;
                default:
                    slots[i].at = aligned_alloc(256, (size + 255) & ~(size_t)255);
                    wrong += ((uintptr_t)slots[i].at & 255) != 0;
            }
            slots[i].size = size;
            slots[i].mark = mark;
            memset(slots[i].at, mark, size);
            live += size;
        } else if (round & 1) {
            wrong += check(i);
            live -= slots[i].size;
            free(slots[i].at);
            slots[i].at = NULL;
        } else {
            wrong += check(i);
            size_t old = slots[i].size;
            slots[i].at = realloc(slots[i].at, size);
            live += size - old;
            slots[i].size = size < old ? size : old;
            wrong += check(i);
            slots[i].size = size;
            slots[i].mark = mark;
            memset(slots[i].at, mark, size);
        }
        if (live > peak) peak = live;
    }
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].at) wrong += check(i);
        free(slots[i].at);
    }
    printf("wrong %d peak %zu live %zu\n", wrong, peak, live);
    void *none = realloc(NULL, 10);
    volatile size_t far = (size_t)1 << 62;
    printf("%d %d\n", none != NULL, malloc(far) == NULL);
    free(none);
    return 0;
}
