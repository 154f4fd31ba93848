/* The C library's string functions and hand-written loops over bytes: copy, find, compare, split, convert.
 * group: integer
 * iterations: 600000
 */
#include "kernel.h"

static uint64_t words(char *text) {
    uint64_t sum = 0;
    for (char *save, *word = strtok_r(text, " ,.", &save); word; word = strtok_r(NULL, " ,.", &save)) {
        uint64_t hash = strlen(word);
        for (const char *p = word; *p; p++) hash = hash * 33 + (unsigned char)*p;
        sum ^= hash << hash % 7;
    }
    return sum;
}

static uint64_t run(long iterations) {
    static const char sentence[] = "Dryden wrote that translation is of three sorts, metaphrase, or turning an author "
                                   "word by word and line by line, "
                                   "paraphrase, or translation with latitude, and imitation, where the translator "
                                   "assumes the liberty of forsaking.";
    static char copy[1024], line[1024];
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        size_t start = (size_t)i % 100;
        strcpy(copy, sentence + start);
        strcat(copy, sentence);
        copy[(size_t)i % strlen(copy)] = 'Q';
        const char *found = strstr(copy, "latitude");
        sum += found ? (uint64_t)(found - copy) : 7;
        found = strchr(copy, 'Q');
        sum = sum * 31 + (found ? (uint64_t)(found - copy) : 5);
        sum += (uint64_t)(strcmp(copy, sentence) > 0) + (uint64_t)(memcmp(copy, sentence, 90) < 0);
        for (char *p = copy; *p; p++)
            if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
        memmove(copy + 13, copy + 7, 200);
        sum = sum * 31 + words(copy);
        int length = snprintf(line, sizeof line, "%ld,%s,%lx", i, "field", (unsigned long)sum);
        sum += (uint64_t)length + strtoul(line, NULL, 10);
    }
    return sum;
}
