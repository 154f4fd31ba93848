/* Linked lists: build, reverse, merge sort, sum. Dependent loads and unpredictable branches.
 * group: integer
 * iterations: 1200
 */
#include "kernel.h"
#define NODES 10000
struct node {
    struct node *next;
    uint64_t value;
};
static struct node nodes[NODES];

static struct node *merge(struct node *a, struct node *b) {
    struct node *head = NULL, **at = &head;
    while (a && b) {
        struct node **least = b->value < a->value ? &b : &a;
        *at = *least;
        at = &(*at)->next;
        *least = (*least)->next;
    }
    *at = a ? a : b;
    return head;
}
static struct node *sort(struct node *list) {
    if (!list || !list->next) return list;
    struct node *slow = list, *fast = list->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    fast = slow->next;
    slow->next = NULL;
    return merge(sort(list), sort(fast));
}
static struct node *reverse(struct node *list) {
    struct node *done = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        struct node *list = NULL;
        for (int k = 0; k < NODES; k++) {
            nodes[k].value = next_random();
            nodes[k].next = list;
            list = &nodes[k];
        }
        list = reverse(sort(list));
        for (struct node *n = list; n; n = n->next) sum = sum * 31 + n->value;
    }
    return sum;
}
