/* CRC-32 by bytes through a table: a chain of dependent loads, shifts and exclusive ors.
 * group: integer
 * iterations: 7700
 */
#include "kernel.h"
#define LENGTH 65536
static unsigned char data[LENGTH];
static uint32_t table[256];

static uint64_t run(long iterations) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        table[i] = c;
    }
    for (int i = 0; i < LENGTH; i++) data[i] = (unsigned char)next_random();
    uint32_t crc = ~0u;
    for (long i = 0; i < iterations; i++)
        for (int k = 0; k < LENGTH; k++) crc = crc >> 8 ^ table[(crc ^ data[k]) & 255];
    return ~crc;
}
