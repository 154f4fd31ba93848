/* MD5 (RFC 1321); its constants come from sines. */
#include <math.h>
#include "support.h"
static uint32_t constants[64];
static const int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
static void block(uint32_t s[4], const unsigned char *p) {
    uint32_t m[16], a = s[0], b = s[1], c = s[2], d = s[3];
    memcpy(m, p, 64);
    for (int i = 0; i < 64; i++) {
        uint32_t f;
        int g;
        switch (i / 16) {
            case 0:
                f = (b & c) | (~b & d);
                g = i;
                break;
            case 1:
                f = (d & b) | (~d & c);
                g = (5 * i + 1) % 16;
                break;
            case 2:
                f = b ^ c ^ d;
                g = (3 * i + 5) % 16;
                break;
            default: f = c ^ (b | ~d); g = 7 * i % 16;
        }
        uint32_t t = d;
        int r = shifts[i / 16][i % 4];
        f += a + constants[i] + m[g];
        d = c;
        c = b;
        b += f << r | f >> (32 - r);
        a = t;
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
}
static void digest(const void *data, size_t n) {
    uint32_t s[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char last[128] = {0};
    size_t whole = n / 64 * 64, rest = n - whole, size = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)n * 8;
    for (size_t i = 0; i < whole; i += 64) block(s, (const unsigned char *)data + i);
    memcpy(last, (const char *)data + whole, rest);
    last[rest] = 0x80;
    memcpy(last + size - 8, &bits, 8);
    for (size_t i = 0; i < size; i += 64) block(s, last + i);
    for (int i = 0; i < 16; i++) printf("%02x", s[i / 4] >> i % 4 * 8 & 255);
    putchar('\n');
}

int main(void) {
    for (int i = 0; i < 64; i++) constants[i] = (uint32_t)(long long)floor(fabs(sin(i + 1)) * 4294967296.0);
    digest("", 0);
    digest("abc", 3);
    digest("message digest", 14);
    digest("12345678901234567890123456789012345678901234567890123456789012345678901234567890", 80);
    static unsigned char data[100000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)next_random();
    for (size_t n = 1; n <= sizeof data; n = n * 5 + 2) digest(data, n);
    return 0;
}
