/* Regular expressions: a backtracking matcher, a Thompson NFA simulation, and the C library's regcomp; they agree. */
#include <regex.h>
#include "support.h"
static int here(const char *re, const char *text);
static int one(const char *re, char c) { return c && (*re == '.' || *re == c); }
static int star(const char *re, const char *rest, const char *text) {
    const char *t = text;
    while (one(re, *t)) t++;
    do
        if (here(rest, t)) return 1;
    while (t-- > text);
    return 0;
}
static int here(const char *re, const char *text) {
    if (!*re) return 1;
    if (re[0] == '$' && !re[1]) return !*text;
    if (re[1] == '*') return star(re, re + 2, text);
    if (re[1] == '?') return (one(re, *text) && here(re + 2, text + 1)) || here(re + 2, text);
    return one(re, *text) && here(re + 1, text + 1);
}
static int search(const char *re, const char *text) {
    if (*re == '^') return here(re + 1, text);
    do
        if (here(re, text)) return 1;
    while (*text++);
    return 0;
}
/* the same language, all states at once in a bit set */
static int simulate(const char *re, const char *text) {
    int anchored = *re == '^';
    if (anchored) re++;
    uint64_t states = 0;
    int n = (int)strlen(re);
    for (int first = 1;; first = 0) {
        if (first || !anchored) states |= 1;
        for (int changed = 1; changed;) {
            changed = 0;
            for (int i = 0; i < n; i++)
                if (states >> i & 1 && (re[i + 1] == '*' || re[i + 1] == '?') && !(states >> (i + 2) & 1)) {
                    states |= 1ull << (i + 2);
                    changed = 1;
                }
        }
        if (states >> n & 1) return 1;
        if (!*text) return n && re[n - 1] == '$' && states >> (n - 1) & 1;
        uint64_t next = 0;
        char c = *text++;
        for (int i = 0; i < n; i++)
            if (states >> i & 1 && !(re[i] == '$' && i == n - 1) && one(re + i, c))
                next |= 1ull << (re[i + 1] == '*' ? i : re[i + 1] == '?' ? i + 2 : i + 1);
        states = next;
    }
}

int main(void) {
    const char *patterns[] = {"abc", "^abc", "abc$",    "a.c",       "ab*c", "ab?c", "^a.*z$",
                              ".*",  "",     "x*y*z*$", "a*a*a*a*b", "^$",   "q.?u"};
    const char *texts[] = {"abc",  "xabcx",    "ac",     "abbbbc", "a whole line to z", "", "aaaaaaaaaaaaaaaa",
                           "quit", "zzz yy x", "aXc abd"};
    int differences = 0;
    for (size_t p = 0; p < COUNT(patterns); p++) {
        regex_t compiled;
        if (regcomp(&compiled, patterns[p], REG_EXTENDED)) return 1;
        for (size_t t = 0; t < COUNT(texts); t++) {
            int a = search(patterns[p], texts[t]), b = simulate(patterns[p], texts[t]),
                c = !regexec(&compiled, texts[t], 0, NULL, 0);
            putchar('0' + a);
            differences += a != b || b != c;
        }
        regfree(&compiled);
        putchar(p % 5 == 4 ? '\n' : ' ');
    }
    regex_t address;
    regmatch_t m[4];
    regcomp(&address, "([a-z0-9._]+)@([a-z]+)\\.(com|org)", REG_EXTENDED | REG_ICASE);
    const char *line = "write to Some.Body_7@Example.ORG or nobody";
    int found = regexec(&address, line, 4, m, 0);
    for (int i = 0; i < 4; i++) printf("[%.*s]", (int)(m[i].rm_eo - m[i].rm_so), line + m[i].rm_so);
    regfree(&address);
    printf("\n%d %d\n", found, differences);
    return differences;
}
