/* A filter: counts lines, words and letters of standard input, and prints the most frequent words.
 * stdin: support.h
 */
#include <ctype.h>
#include "support.h"
struct entry {
    char word[32];
    int count;
};
static struct entry entries[2000];
static int used;
static int by_count(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    return y->count != x->count ? y->count - x->count : strcmp(x->word, y->word);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    long lines = 0, words = 0, bytes = 0, letters[26] = {0};
    while ((length = getline(&line, &room, stdin)) > 0) {
        lines++;
        bytes += length;
        for (char *p = line; *p;) {
            if (!isalpha((unsigned char)*p)) {
                p++;
                continue;
            }
            char word[32];
            int n = 0;
            for (; isalnum((unsigned char)*p) || *p == '_'; p++) {
                if (n < 31) word[n++] = (char)tolower((unsigned char)*p);
                if (isalpha((unsigned char)*p)) letters[tolower((unsigned char)*p) - 'a']++;
            }
            word[n] = 0;
            words++;
            int i = 0;
            while (i < used && strcmp(entries[i].word, word)) i++;
            if (i == used && used < 2000) {
                strcpy(entries[used].word, word);
                used++;
            }
            if (i < used) entries[i].count++;
        }
    }
    free(line);
    qsort(entries, (size_t)used, sizeof *entries, by_count);
    printf("%ld lines %ld words %ld bytes %d different\n", lines, words, bytes, used);
    for (int i = 0; i < 10 && i < used; i++) printf("%5d %s\n", entries[i].count, entries[i].word);
    for (int i = 0; i < 26; i++) printf("%c%ld ", 'a' + i, letters[i]);
    putchar('\n');
    return lines > 0 ? 0 : 1;
}
