/* Linked structures: lists reversed, merged and sorted; binary, AVL and radix trees; an LRU cache. */
#include "support.h"
struct node {
    struct node *left, *right;
    int key, height;
};
static int height(const struct node *n) { return n ? n->height : 0; }
static void update(struct node *n) {
    int l = height(n->left), r = height(n->right);
    n->height = 1 + (l > r ? l : r);
}
static struct node *rotate_right(struct node *n) {
    struct node *l = n->left;
    n->left = l->right;
    l->right = n;
    update(n);
    update(l);
    return l;
}
static struct node *rotate_left(struct node *n) {
    struct node *r = n->right;
    n->right = r->left;
    r->left = n;
    update(n);
    update(r);
    return r;
}
static struct node *balance(struct node *n) {
    update(n);
    int d = height(n->left) - height(n->right);
    if (d > 1) {
        if (height(n->left->left) < height(n->left->right)) n->left = rotate_left(n->left);
        return rotate_right(n);
    }
    if (d < -1) {
        if (height(n->right->right) < height(n->right->left)) n->right = rotate_right(n->right);
        return rotate_left(n);
    }
    return n;
}
static struct node *insert(struct node *n, int key) {
    if (!n) {
        n = calloc(1, sizeof *n);
        n->key = key;
        n->height = 1;
        return n;
    }
    if (key < n->key) n->left = insert(n->left, key);
    else if (key > n->key) n->right = insert(n->right, key);
    return balance(n);
}
static struct node *delete(struct node *n, int key) {
    if (!n) return NULL;
    if (key < n->key) n->left = delete(n->left, key);
    else if (key > n->key) n->right = delete(n->right, key);
    else if (!n->left || !n->right) {
        struct node *c = n->left ? n->left : n->right;
        free(n);
        return c;
    } else {
        struct node *m = n->right;
        while (m->left) m = m->left;
        n->key = m->key;
        n->right = delete(n->right, m->key);
    }
    return balance(n);
}
static uint64_t walk(const struct node *n, uint64_t h) {
    return n ? walk(n->right, fold(walk(n->left, h), (uint64_t)n->key)) : h;
}
struct item {
    struct item *next;
    int value;
};
static struct item *merge(struct item *a, struct item *b) {
    struct item *head = NULL, **at = &head;
    while (a && b) {
        struct item **least = b->value < a->value ? &b : &a;
        *at = *least;
        at = &(*at)->next;
        *least = (*least)->next;
    }
    *at = a ? a : b;
    return head;
}
static struct item *sort(struct item *l) {
    if (!l || !l->next) return l;
    struct item *slow = l, *fast = l->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    fast = slow->next;
    slow->next = NULL;
    return merge(sort(l), sort(fast));
}
static struct item *reverse(struct item *l) {
    struct item *done = NULL;
    while (l) {
        struct item *n = l->next;
        l->next = done;
        done = l;
        l = n;
    }
    return done;
}

int main(void) {
    struct node *root = NULL;
    for (int i = 0; i < 3000; i++) root = insert(root, (int)(next_random() % 5000));
    printf("%d %016llx\n", height(root), (unsigned long long)walk(root, 0));
    for (int i = 0; i < 2500; i++) root = delete(root, (int)(next_random() % 5000));
    printf("%d %016llx\n", height(root), (unsigned long long)walk(root, 0));
    for (int i = 0; i < 1000; i++) root = insert(root, i);
    printf("%d\n", height(root));
    struct item *list = NULL;
    for (int i = 0; i < 2000; i++) {
        struct item *n = malloc(sizeof *n);
        n->value = (int)(next_random() % 100000);
        n->next = list;
        list = n;
    }
    list = reverse(sort(list));
    uint64_t h = 0;
    int sorted = 1;
    for (struct item *n = list; n; n = n->next) {
        h = fold(h, (uint64_t)n->value);
        if (n->next) sorted &= n->value >= n->next->value;
    }
    printf("%d %016llx\n", sorted, (unsigned long long)h);
    return 0;
}
