/* CRC-32 by bit, by table and by four tables; CRC-16, CRC-64, Adler-32, Fletcher, FNV, Murmur-like mixing. */
#include "support.h"
static uint32_t tables[4][256];
static unsigned char data[50000];
static uint32_t by_bit(const unsigned char *p, size_t n) {
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}
static uint32_t by_table(const unsigned char *p, size_t n) {
    uint32_t c = ~0u;
    while (n--) c = c >> 8 ^ tables[0][(c ^ *p++) & 255];
    return ~c;
}
static uint32_t by_four(const unsigned char *p, size_t n) {
    uint32_t c = ~0u;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t w;
        memcpy(&w, p, 4);
        c ^= w;
        c = tables[3][c & 255] ^ tables[2][c >> 8 & 255] ^ tables[1][c >> 16 & 255] ^ tables[0][c >> 24];
    }
    while (n--) c = c >> 8 ^ tables[0][(c ^ *p++) & 255];
    return ~c;
}
static uint16_t crc16(const unsigned char *p, size_t n) {
    uint16_t c = 0xffff;
    while (n--) {
        c ^= (uint16_t)(*p++ << 8);
        for (int k = 0; k < 8; k++) c = (uint16_t)(c << 1 ^ (c & 0x8000 ? 0x1021 : 0));
    }
    return c;
}
static uint64_t crc64(const unsigned char *p, size_t n) {
    uint64_t c = 0;
    while (n--) {
        c ^= (uint64_t)*p++ << 56;
        for (int k = 0; k < 8; k++) c = c << 1 ^ (c >> 63 ? 0x42f0e1eba9ea3693u : 0);
    }
    return c;
}
static uint32_t adler(const unsigned char *p, size_t n) {
    uint32_t a = 1, b = 0;
    while (n--) {
        a = (a + *p++) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}
static uint32_t murmur(const unsigned char *p, size_t n) {
    uint32_t h = 42;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t k;
        memcpy(&k, p, 4);
        k *= 0xcc9e2d51u;
        k = k << 15 | k >> 17;
        h ^= k * 0x1b873593u;
        h = (h << 13 | h >> 19) * 5 + 0xe6546b64u;
    }
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    return h ^ h >> 13;
}

int main(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        tables[0][i] = c;
    }
    for (int t = 1; t < 4; t++)
        for (int i = 0; i < 256; i++) tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 255];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)next_random();
    const unsigned char *check = (const unsigned char *)"123456789";
    printf("%08x %08x %08x %04x %016llx %08x\n", by_bit(check, 9), by_table(check, 9), by_four(check, 9),
           crc16(check, 9), (unsigned long long)crc64(check, 9), adler(check, 9));
    for (size_t n = 1; n < sizeof data; n = n * 3 + 1)
        printf("%zu %d %08x %04x %016llx %08x %08x\n", n,
               by_bit(data, n) == by_table(data, n) && by_table(data, n) == by_four(data, n), by_four(data, n),
               crc16(data, n), (unsigned long long)crc64(data, n), adler(data, n), murmur(data, n));
    return 0;
}
