/* A hash table with open addressing and one with chains: insert, look up, delete, grow. */
#include "support.h"
struct slot {
    char key[16];
    int value, state;
};
static struct slot *slots;
static size_t capacity = 16, used, live;
static uint32_t hash(const char *key) {
    uint32_t h = 2166136261u;
    while (*key) h = (h ^ (unsigned char)*key++) * 16777619u;
    return h;
}
static struct slot *find(const char *key) {
    struct slot *grave = NULL;
    for (size_t i = hash(key) & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        if (slots[i].state == 0) return grave ? grave : &slots[i];
        if (slots[i].state == 2) {
            if (!grave) grave = &slots[i];
        } else if (!strcmp(slots[i].key, key)) return &slots[i];
    }
}
static void put(const char *key, int value) {
    if (used * 4 >= capacity * 3) {
        struct slot *old = slots;
        size_t n = capacity;
        capacity *= 2;
        slots = calloc(capacity, sizeof *slots);
        used = live = 0;
        for (size_t i = 0; i < n; i++)
            if (old[i].state == 1) put(old[i].key, old[i].value);
        free(old);
    }
    struct slot *s = find(key);
    if (s->state != 1) {
        live++;
        used += s->state == 0;
        strcpy(s->key, key);
        s->state = 1;
    }
    s->value = value;
}
struct node {
    struct node *next;
    uint64_t key;
    int count;
};

int main(void) {
    slots = calloc(capacity, sizeof *slots);
    char key[16];
    long deleted = 0, found = 0;
    for (int i = 0; i < 20000; i++) {
        sprintf(key, "k%llu", (unsigned long long)(next_random() % 3000));
        switch (i % 5) {
            case 0:
            case 1:
            case 2: put(key, i); break;
            case 3: {
                struct slot *s = find(key);
                if (s->state == 1) { found += s->value; }
                break;
            }
            default: {
                struct slot *s = find(key);
                if (s->state == 1) {
                    s->state = 2;
                    live--;
                    deleted++;
                }
            }
        }
    }
    uint64_t h = 0;
    for (size_t i = 0; i < capacity; i++)
        if (slots[i].state == 1) h += hash(slots[i].key) * (uint64_t)slots[i].value;
    printf("%zu %zu %ld %ld %016llx\n", capacity, live, deleted, found, (unsigned long long)h);
    struct node *buckets[257] = {0};
    int longest = 0, distinct = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t k = next_random() % 4096;
        struct node **at = &buckets[k * 2654435761u % 257];
        int length = 0;
        while (*at && (*at)->key != k) {
            at = &(*at)->next;
            length++;
        }
        if (!*at) {
            *at = calloc(1, sizeof **at);
            (*at)->key = k;
            distinct++;
        }
        (*at)->count++;
        if (length > longest) longest = length;
    }
    printf("%d %d\n", distinct, longest);
    return 0;
}
