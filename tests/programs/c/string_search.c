/* Finding text: naive, Knuth-Morris-Pratt, Boyer-Moore-Horspool, Rabin-Karp, edit distance, longest common subsequence, suffix sort. */
#include "support.h"
static char text[20001];
static int naive(const char *t, int n, const char *p, int m) {
    int found = 0;
    for (int i = 0; i + m <= n; i++) {
        int k = 0;
        while (k < m && t[i + k] == p[k]) k++;
        found += k == m;
    }
    return found;
}
static int kmp(const char *t, int n, const char *p, int m) {
    int fail[64] = {-1}, found = 0, k = -1;
    for (int i = 1; i <= m; i++) {
        while (k >= 0 && p[k] != p[i - 1]) k = fail[k];
        fail[i] = ++k;
    }
    k = 0;
    for (int i = 0; i < n; i++) {
        while (k >= 0 && (k == m || p[k] != t[i])) k = fail[k];
        if (++k == m) found++;
    }
    return found;
}
static int horspool(const char *t, int n, const char *p, int m) {
    int skip[256], found = 0;
    for (int i = 0; i < 256; i++) skip[i] = m;
    for (int i = 0; i < m - 1; i++) skip[(unsigned char)p[i]] = m - 1 - i;
    for (int i = 0; i + m <= n; i += skip[(unsigned char)t[i + m - 1]]) found += !memcmp(t + i, p, (size_t)m);
    return found;
}
static int rabin_karp(const char *t, int n, const char *p, int m) {
    uint32_t a = 0, b = 0, top = 1;
    int found = 0;
    for (int i = 0; i < m; i++) {
        a = (a * 257 + (unsigned char)p[i]) % 16777213;
        b = (b * 257 + (unsigned char)t[i]) % 16777213;
        if (i) top = top * 257 % 16777213;
    }
    for (int i = 0; i + m <= n; i++) {
        found += a == b && !memcmp(t + i, p, (size_t)m);
        b = (uint32_t)(((b + 16777213ull * 256 - (unsigned char)t[i] * (uint64_t)top) * 257 + (unsigned char)t[i + m]) %
                       16777213);
    }
    return found;
}
static int edit(const char *a, const char *b) {
    int row[100];
    int n = (int)strlen(b);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; *a; i++, a++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int old = row[j], best = diagonal + (*a != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = old;
        }
    }
    return row[n];
}
static int by_suffix(const void *a, const void *b) { return strcmp(text + *(const int *)a, text + *(const int *)b); }

int main(void) {
    for (int i = 0; i < 20000; i++) text[i] = (char)('a' + next_random() % 3);
    const char *patterns[] = {"a", "ab", "aba", "ccc", "abcab", "aaaaaa", "bacabac", "cbacbacbac"};
    for (size_t i = 0; i < COUNT(patterns); i++) {
        int m = (int)strlen(patterns[i]);
        printf("%s %d %d %d %d\n", patterns[i], naive(text, 20000, patterns[i], m), kmp(text, 20000, patterns[i], m),
               horspool(text, 20000, patterns[i], m), rabin_karp(text, 20000, patterns[i], m));
    }
    printf("%d %d %d\n", edit("kitten", "sitting"), edit("", "abc"),
           edit("metaphrase translates word for word", "paraphrase translates with latitude"));
    static int table[301][301], best = 0;
    for (int i = 1; i <= 300; i++)
        for (int j = 1; j <= 300; j++) {
            table[i][j] = text[i] == text[1000 + j]           ? table[i - 1][j - 1] + 1
                          : table[i - 1][j] > table[i][j - 1] ? table[i - 1][j]
                                                              : table[i][j - 1];
            if (table[i][j] > best) best = table[i][j];
        }
    text[1500] = 0;
    static int suffixes[1500];
    for (int i = 0; i < 1500; i++) suffixes[i] = i;
    qsort(suffixes, 1500, sizeof *suffixes, by_suffix);
    printf("%d %016llx\n", best, (unsigned long long)fold_bytes(0, suffixes, sizeof suffixes));
    return 0;
}
