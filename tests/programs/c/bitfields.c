/* Bit-fields: signed and unsigned, across units, zero width, arithmetic in place. */
#include "support.h"
struct flags {
    unsigned a : 1, b : 3, c : 12, d : 16;
    signed e : 5;
    unsigned : 0;
    unsigned long long f : 40;
    long long g : 24;
};
struct header {
    uint16_t version : 4, length : 4, service : 8;
    uint32_t offset : 13, bits : 3, rest : 16;
} __attribute__((packed));
union instruction {
    struct {
        uint32_t opcode : 7, rd : 5, funct3 : 3, rs1 : 5, rs2 : 5, funct7 : 7;
    } r;
    uint32_t word;
};

int main(void) {
    struct flags f;
    memset(&f, 0, sizeof f);
    for (int i = 0; i < 200; i++) {
        uint64_t r = next_random();
        f.a ^= r & 1;
        f.b += r;
        f.c = (unsigned)(f.c * 5 + f.b);
        f.d -= (unsigned)(r >> 20);
        f.e = (int)(f.e + (int)(r % 7));
        f.f = f.f * 3 + r;
        f.g -= (long long)(r >> 40);
        if (i % 40 == 0)
            printf("%u %u %u %u %d %llu %lld\n", f.a, f.b, f.c, f.d, f.e, (unsigned long long)f.f, (long long)f.g);
    }
    printf("%zu %016llx\n", sizeof f, (unsigned long long)fold_bytes(0, &f, sizeof f));
    struct header h = {.version = 4, .length = 5, .service = 0xaa, .offset = 0x1abc, .bits = 5, .rest = 0xbeef};
    h.offset++;
    h.bits <<= 1;
    h.version = (uint16_t)(h.version | 3);
    const unsigned char *bytes = (const unsigned char *)&h;
    for (size_t i = 0; i < sizeof h; i++) printf("%02x", bytes[i]);
    union instruction in = {.word = 0x00c58533};
    printf(" %u %u %u %u\n", in.r.opcode, in.r.rd, in.r.rs1, in.r.rs2);
    in.r.rd = 31;
    in.r.funct7 = 0x20;
    printf("%08x\n", in.word);
    struct {
        int x : 3;
    } narrow;
    int seen[9];
    for (int i = 0; i < 9; i++) {
        narrow.x = i;
        seen[i] = narrow.x;
    }
    for (int i = 0; i < 9; i++) printf("%d ", seen[i]);
    putchar('\n');
    return 0;
}
