/* Compression there and back: LZ77 with a hash chain, LZW, Huffman, move-to-front. */
#include "support.h"
#define N 12000
static unsigned char data[N], packed[N * 3], back[N + 300];
static size_t lz_pack(const unsigned char *p, size_t n, unsigned char *to) {
    static int head[4096];
    size_t out = 0;
    memset(head, -1, sizeof head);
    for (size_t i = 0; i < n;) {
        size_t best = 0, at = 0;
        if (i + 4 < n) {
            uint32_t h = ((uint32_t)p[i] << 16 ^ (uint32_t)p[i + 1] << 8 ^ p[i + 2]) * 2654435761u >> 20;
            int c = head[h];
            head[h] = (int)i;
            if (c >= 0 && i - (size_t)c < 65535) {
                while (best < 130 && i + best < n && p[(size_t)c + best] == p[i + best]) best++;
                at = i - (size_t)c;
            }
        }
        if (best >= 4) {
            to[out++] = (unsigned char)(0x80 | (best - 4));
            to[out++] = (unsigned char)at;
            to[out++] = (unsigned char)(at >> 8);
            i += best;
        } else {
            size_t run = out++;
            to[run] = 0;
            to[out++] = p[i++];
        }
    }
    return out;
}
static size_t lz_unpack(const unsigned char *p, size_t n, unsigned char *to) {
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        if (p[i] & 0x80) {
            size_t length = (p[i] & 0x7fu) + 4, at = p[i + 1] | (size_t)p[i + 2] << 8;
            i += 3;
            while (length--) {
                to[out] = to[out - at];
                out++;
            }
        } else {
            to[out++] = p[i + 1];
            i += 2;
        }
    }
    return out;
}
static size_t lzw(const unsigned char *p, size_t n, uint16_t *to) {
    static struct {
        int16_t next[256];
    } *trie;
    trie = realloc(trie, 4096 * sizeof *trie);
    memset(trie, 0, 4096 * sizeof *trie);
    size_t out = 0;
    int used = 257, node = p[0] + 1;
    for (size_t i = 1; i < n; i++) {
        if (trie[node].next[p[i]]) node = trie[node].next[p[i]];
        else {
            to[out++] = (uint16_t)node;
            if (used < 4096) trie[node].next[p[i]] = (int16_t)used++;
            node = p[i] + 1;
        }
    }
    to[out++] = (uint16_t)node;
    free(trie);
    trie = NULL;
    return out;
}
struct tree {
    long weight;
    int left, right, up;
};
static long huffman(const unsigned char *p, size_t n, int *lengths) {
    struct tree t[512];
    int used = 256;
    memset(t, 0, sizeof t);
    for (size_t i = 0; i < n; i++) t[p[i]].weight++;
    for (int i = 0; i < 512; i++) t[i].up = -1;
    for (;;) {
        int a = -1, b = -1;
        for (int i = 0; i < used; i++)
            if (t[i].weight && t[i].up < 0) {
                if (a < 0 || t[i].weight < t[a].weight) {
                    b = a;
                    a = i;
                } else if (b < 0 || t[i].weight < t[b].weight) b = i;
            }
        if (b < 0) break;
        t[used].weight = t[a].weight + t[b].weight;
        t[a].up = t[b].up = used++;
    }
    long bits = 0;
    for (int i = 0; i < 256; i++) {
        lengths[i] = 0;
        if (t[i].weight)
            for (int k = i; t[k].up >= 0; k = t[k].up) lengths[i]++;
        bits += t[i].weight * lengths[i];
    }
    return bits;
}

int main(void) {
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < N; i++)
            data[i] =
                (unsigned char)(kind == 0   ? next_random()
                                : kind == 1 ? (uint64_t)'a' + i % 7
                                : kind == 2
                                    ? (unsigned char)"the quick brown fox jumps over the lazy dog "[i * i / 5 % 44]
                                    : (next_random() & next_random() & next_random()) & 63);
        size_t n = lz_pack(data, N, packed), m = lz_unpack(packed, n, back);
        printf("lz %zu %s %016llx; ", n, m == N && !memcmp(data, back, N) ? "same" : "differs",
               (unsigned long long)fold_bytes(0, packed, n));
        static uint16_t codes[N];
        n = lzw(data, N, codes);
        printf("lzw %zu %016llx; ", n, (unsigned long long)fold_bytes(0, codes, n * 2));
        int lengths[256];
        long bits = huffman(data, N, lengths);
        printf("huffman %ld %d\n", bits, lengths[data[5]]);
    }
    unsigned char order[256];
    uint64_t h = 0;
    for (int i = 0; i < 256; i++) order[i] = (unsigned char)i;
    for (size_t i = 0; i < N; i++) {
        unsigned char *at = memchr(order, data[i], 256);
        size_t k = (size_t)(at - order);
        h = fold(h, k);
        memmove(order + 1, order, k);
        order[0] = data[i];
    }
    printf("%016llx\n", (unsigned long long)h);
    return 0;
}
