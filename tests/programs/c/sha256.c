/* SHA-256 (FIPS 180-4) of known and of random messages.
 * guests: x86_64 riscv64
 */
#include "support.h"
static uint32_t k[64], state[8];
static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }
/* The constants are the first 32 bits of the fractional parts of cube and square roots of primes; integer arithmetic finds them. */
static uint32_t root_bits(uint64_t prime, int power) {
    unsigned __int128 low = 0, high = (unsigned __int128)1 << 40,
                      want = (unsigned __int128)prime << (power == 3 ? 96 : 64);
    while (high - low > 1) {
        unsigned __int128 middle = (low + high) / 2, value = middle * middle;
        int over = power == 3 ? value > want / middle : value > want;
        if (over) high = middle;
        else low = middle;
    }
    return (uint32_t)low;
}
static void block(const unsigned char *p) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
                      ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t t2 =
            (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
}
static void digest(const unsigned char *data, size_t n, const uint32_t *initial) {
    unsigned char last[128] = {0};
    size_t whole = n / 64 * 64, rest = n - whole, size = rest < 56 ? 64 : 128;
    memcpy(state, initial, sizeof state);
    for (size_t i = 0; i < whole; i += 64) block(data + i);
    memcpy(last, data + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[size - 1 - (size_t)i] = (unsigned char)((uint64_t)n * 8 >> 8 * i);
    for (size_t i = 0; i < size; i += 64) block(last + i);
    for (int i = 0; i < 8; i++) printf("%08x", state[i]);
    printf(" %zu\n", n);
}

int main(void) {
    uint32_t initial[8];
    int found = 0;
    for (uint64_t p = 2; found < 64; p++) {
        int prime = 1;
        for (uint64_t d = 2; d * d <= p; d++)
            if (p % d == 0) prime = 0;
        if (prime) {
            if (found < 8) initial[found] = root_bits(p, 2);
            k[found++] = root_bits(p, 3);
        }
    }
    digest((const unsigned char *)"", 0, initial);
    digest((const unsigned char *)"abc", 3, initial);
    digest((const unsigned char *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, initial);
    static unsigned char data[20000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)next_random();
    for (size_t n = 50; n <= sizeof data; n = n * 2 + 3) digest(data, n, initial);
    return 0;
}
