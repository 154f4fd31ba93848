/* Graphs: Dijkstra with a heap, Floyd-Warshall, depth-first order, union-find spanning tree, topological order. */
#include "support.h"
#define N 120
#define EDGES 900
static struct {
    int from, to, weight;
} edges[EDGES];
static int first[N], next_edge[EDGES], distance[N], heap[N + 1], where[N], heap_size, all[N][N], parent[N];
static void swap(int i, int j) {
    int t = heap[i];
    heap[i] = heap[j];
    heap[j] = t;
    where[heap[i]] = i;
    where[heap[j]] = j;
}
static void up(int i) {
    while (i > 1 && distance[heap[i]] < distance[heap[i / 2]]) {
        swap(i, i / 2);
        i /= 2;
    }
}
static void down(int i) {
    for (;;) {
        int c = 2 * i;
        if (c > heap_size) return;
        if (c < heap_size && distance[heap[c + 1]] < distance[heap[c]]) c++;
        if (distance[heap[i]] <= distance[heap[c]]) return;
        swap(i, c);
        i = c;
    }
}
static void dijkstra(int from) {
    heap_size = 0;
    for (int i = 0; i < N; i++) {
        distance[i] = 1 << 28;
        where[i] = 0;
    }
    distance[from] = 0;
    heap[++heap_size] = from;
    where[from] = 1;
    while (heap_size) {
        int u = heap[1];
        swap(1, heap_size);
        heap_size--;
        down(1);
        where[u] = -1;
        for (int e = first[u]; e >= 0; e = next_edge[e]) {
            int v = edges[e].to, d = distance[u] + edges[e].weight;
            if (d < distance[v]) {
                distance[v] = d;
                if (where[v] <= 0) {
                    heap[++heap_size] = v;
                    where[v] = heap_size;
                }
                up(where[v]);
            }
        }
    }
}
static int root(int x) {
    while (parent[x] != x) x = parent[x] = parent[parent[x]];
    return x;
}
static int by_weight(const void *a, const void *b) {
    const int *x = a, *y = b;
    return x[2] != y[2] ? x[2] - y[2] : x[0] != y[0] ? x[0] - y[0] : x[1] - y[1];
}
static int visited[N], order[N], count;
static void visit(int u) {
    visited[u] = 1;
    for (int e = first[u]; e >= 0; e = next_edge[e])
        if (!visited[edges[e].to]) visit(edges[e].to);
    order[count++] = u;
}

int main(void) {
    memset(first, -1, sizeof first);
    for (int e = 0; e < EDGES; e++) {
        edges[e].from = (int)(next_random() % N);
        edges[e].to = (int)(next_random() % N);
        edges[e].weight = (int)(next_random() % 100) + 1;
        next_edge[e] = first[edges[e].from];
        first[edges[e].from] = e;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) all[i][j] = i == j ? 0 : 1 << 28;
    for (int e = 0; e < EDGES; e++)
        if (edges[e].weight < all[edges[e].from][edges[e].to]) all[edges[e].from][edges[e].to] = edges[e].weight;
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                if (all[i][k] + all[k][j] < all[i][j]) all[i][j] = all[i][k] + all[k][j];
    int wrong = 0;
    long sum = 0;
    for (int i = 0; i < N; i++) {
        dijkstra(i);
        for (int j = 0; j < N; j++) {
            wrong += distance[j] != all[i][j];
            sum += distance[j] % 1000003;
        }
    }
    printf("%d %ld %d\n", wrong, sum, all[3][77]);
    for (int i = 0; i < N; i++)
        if (!visited[i]) visit(i);
    uint64_t h = 0;
    for (int i = 0; i < N; i++) h = fold(h, (uint64_t)order[i]);
    printf("%016llx\n", (unsigned long long)h);
    qsort(edges, EDGES, sizeof *edges, by_weight);
    long weight = 0;
    int joined = 0;
    for (int i = 0; i < N; i++) parent[i] = i;
    for (int e = 0; e < EDGES; e++) {
        int a = root(edges[e].from), b = root(edges[e].to);
        if (a != b) {
            parent[a] = b;
            weight += edges[e].weight;
            joined++;
        }
    }
    printf("%d %ld\n", joined, weight);
    return 0;
}
