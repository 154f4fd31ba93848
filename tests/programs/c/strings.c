/* The C library's string functions, on many lengths and alignments. */
#define _GNU_SOURCE
#include <ctype.h>
#include "support.h"

int main(void) {
    static char buffer[4096], other[4096];
    uint64_t h = 0;
    for (int length = 0; length < 200; length += 3)
        for (int shift = 0; shift < 20; shift += 7) {
            char *s = buffer + shift, *t = other + (shift * 5) % 32;
            for (int i = 0; i < length; i++) s[i] = (char)('a' + (i * 7 + length) % 26);
            s[length] = 0;
            h = fold(h, strlen(s));
            strcpy(t, s);
            h = fold(h, strcmp(s, t) == 0);
            if (length) {
                t[length / 2]++;
                h = fold(h, (strcmp(s, t) > 0) * 2 + (strncmp(s, t, length / 2) == 0));
                t[length / 2]--;
            }
            h = fold(h, strnlen(s, 50));
            char *found = strchr(s, 'q');
            h = fold(h, found ? (uint64_t)(found - s) : 999);
            found = strrchr(s, 'c');
            h = fold(h, found ? (uint64_t)(found - s) : 999);
            found = memchr(s, 'z', (size_t)length);
            h = fold(h, found ? (uint64_t)(found - s) : 999);
            h = fold(h, strspn(s, "abcdefghijklm"));
            h = fold(h, strcspn(s, "xyz"));
            found = strstr(s, "hov");
            h = fold(h, found ? (uint64_t)(found - s) : 999);
            strncat(t, "tail", 4);
            h = fold_bytes(h, t, strlen(t));
            for (char *p = t; *p; p++) *p = (char)toupper((unsigned char)*p);
            h = fold(h, strcasecmp(s, t) < 0);
        }
    printf("%016llx\n", (unsigned long long)h);
    char text[] = "  one,two;;three , four";
    char *save = NULL;
    for (char *word = strtok_r(text, " ,;", &save); word; word = strtok_r(NULL, " ,;", &save)) printf("[%s]", word);
    printf("\n%d %d %s\n", strcmp("abc", "abd") < 0, strverscmp("file10", "file9") > 0, strpbrk("hello world", "ow"));
    char *copy = strdup("duplicate me");
    char *half = strndup(copy, 4);
    printf("%s %s %s\n", copy, half, (char *)memmem("needle in hay", 13, "in", 2));
    free(copy);
    free(half);
    printf("%s %s\n", strerror(2), strsignal(11));
    char *part, list[] = "a:b::c", *rest = list;
    while ((part = strsep(&rest, ":"))) printf("<%s>", part);
    putchar('\n');
    return 0;
}
