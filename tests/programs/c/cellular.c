/* Grids: Conway's life by arrays and by bits, elementary automata, flood fill, Langton's ant. */
#include "support.h"
static unsigned char grid[2][64][64];
static uint64_t rows[64];
static int alive(int g, int y, int x) { return grid[g][y & 63][x & 63]; }
static uint64_t turn(uint64_t x, int n) { return x << n | x >> (64 - n); }
/* all 64 columns of a row at once: neighbours are counted by adding bit planes */
static void step_bits(void) {
    uint64_t next[64];
    for (int y = 0; y < 64; y++) {
        uint64_t one = 0, two = 0, four = 0, up = rows[(y + 63) & 63], here = rows[y], down = rows[(y + 1) & 63];
        uint64_t around[8] = {turn(up, 1),   up,   turn(up, 63),  turn(here, 1), turn(here, 63),
                              turn(down, 1), down, turn(down, 63)};
        for (int i = 0; i < 8; i++) {
            uint64_t c1 = one & around[i], c2 = two & c1;
            one ^= around[i];
            two ^= c1;
            four |= c2;
        }
        next[y] = two & ~four & (one | here);
    }
    memcpy(rows, next, sizeof rows);
}
static int fill(char *map, int at) {
    if (map[at] != '.') return 0;
    map[at] = '#';
    return 1 + fill(map, at - 1) + fill(map, at + 1) + fill(map, at - 40) + fill(map, at + 40);
}

int main(void) {
    for (int y = 0; y < 64; y++) {
        rows[y] = next_random() & next_random();
        for (int x = 0; x < 64; x++) grid[0][y][x] = rows[y] >> x & 1;
    }
    int now = 0, wrong = 0;
    for (int step = 0; step < 60; step++) {
        for (int y = 0; y < 64; y++)
            for (int x = 0; x < 64; x++) {
                int n = 0;
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++) n += (dx || dy) && alive(now, y + dy, x + dx);
                grid[1 - now][y][x] = n == 3 || (n == 2 && grid[now][y][x]);
            }
        now = 1 - now;
        step_bits();
        int population = 0;
        for (int y = 0; y < 64; y++)
            for (int x = 0; x < 64; x++) {
                wrong += (rows[y] >> x & 1) != grid[now][y][x];
                population += grid[now][y][x];
            }
        if (step % 15 == 0) printf("%d:%d ", step, population);
    }
    printf("%d\n", wrong);
    for (int rule = 30; rule <= 110; rule += 40) {
        uint64_t row = 1ull << 32;
        for (int i = 0; i < 16; i++) {
            if (rule == 30 && i % 4 == 3) {
                for (int x = 20; x < 46; x++) putchar(row >> x & 1 ? '#' : '.');
                putchar('\n');
            }
            uint64_t n = 0;
            for (int x = 0; x < 64; x++) n |= (uint64_t)(rule >> (turn(row, 65 - x) & 7) & 1) << x;
            row = n;
            if (rule != 30 && i == 15) printf("%016llx\n", (unsigned long long)row);
        }
    }
    char map[40 * 20];
    for (int i = 0; i < 800; i++)
        map[i] = i < 40 || i >= 760 || i % 40 == 0 || i % 40 == 39 || next_random() % 3 == 0 ? '*' : '.';
    int pools = 0, largest = 0;
    for (int i = 0; i < 800; i++) {
        int size = fill(map, i);
        pools += size > 0;
        if (size > largest) largest = size;
    }
    printf("%d %d\n", pools, largest);
    static char ant[80][80];
    int x = 40, y = 40, d = 0, black = 0;
    for (int i = 0; i < 5000; i++) {
        d = (d + (ant[y][x] ? 3 : 1)) & 3;
        black += ant[y][x] ? -1 : 1;
        ant[y][x] ^= 1;
        x += (d == 1) - (d == 3);
        y += (d == 2) - (d == 0);
    }
    printf("%d %d %d\n", black, x, y);
    return 0;
}
