/* Base64, hexadecimal, percent and run-length coding, there and back. */
#include "support.h"
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static size_t encode(char *to, const unsigned char *from, size_t n) {
    char *start = to;
    for (; n >= 3; n -= 3, from += 3) {
        uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        for (int s = 18; s >= 0; s -= 6) *to++ = digits[v >> s & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)from[0] << 16 | (n > 1 ? (uint32_t)from[1] << 8 : 0);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    *to = 0;
    return (size_t)(to - start);
}
static size_t decode(unsigned char *to, const char *from) {
    unsigned char *start = to;
    uint32_t v = 0;
    int bits = 0;
    for (; *from && *from != '='; from++) {
        const char *d = strchr(digits, *from);
        if (!d) continue;
        v = v << 6 | (uint32_t)(d - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(v >> bits);
        }
    }
    return (size_t)(to - start);
}
static size_t run_length(unsigned char *to, const unsigned char *from, size_t n) {
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        size_t k = 1;
        while (i + k < n && from[i + k] == from[i] && k < 255) k++;
        to[out++] = (unsigned char)k;
        to[out++] = from[i];
        i += k;
    }
    return out;
}

int main(void) {
    unsigned char data[1000], back[1000], runs[2000];
    char text[1400], percent[3100];
    int wrong = 0;
    uint64_t h = 0;
    for (size_t n = 0; n < sizeof data; n += 1 + n / 7) {
        for (size_t i = 0; i < n; i++) data[i] = (unsigned char)next_random();
        size_t length = encode(text, data, n);
        h = fold_bytes(h, text, length);
        wrong += decode(back, text) != n || memcmp(data, back, n);
    }
    printf("%d %016llx\n", wrong, (unsigned long long)h);
    const char *words[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar", "Man is distinguished"};
    for (size_t i = 0; i < COUNT(words); i++) {
        encode(text, (const unsigned char *)words[i], strlen(words[i]));
        printf("%s ", text);
    }
    char *p = percent;
    for (const char *s = "a b&c=d/\xc3\xa9?~"; *s; s++)
        p += strchr("abcdefghijklmnopqrstuvwxyz~", *s) ? sprintf(p, "%c", *s) : sprintf(p, "%%%02X", (unsigned char)*s);
    printf("\n%s\n", percent);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i / 37 % 5);
    size_t n = run_length(runs, data, sizeof data);
    printf("%zu %016llx\n", n, (unsigned long long)fold_bytes(0, runs, n));
    return 0;
}
