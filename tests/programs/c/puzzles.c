/* Searches: queens by bits and by arrays, knight's tour, sudoku, subset sums, magic squares. */
#include "support.h"
static long solutions;
static void queens(unsigned columns, unsigned left, unsigned right, unsigned full) {
    if (columns == full) {
        solutions++;
        return;
    }
    for (unsigned open = ~(columns | left | right) & full; open;) {
        unsigned bit = open & -open;
        open ^= bit;
        queens(columns | bit, (left | bit) << 1, (right | bit) >> 1, full);
    }
}
static int place[8];
static int safe(int row, int column) {
    for (int i = 0; i < row; i++)
        if (place[i] == column || abs(place[i] - column) == row - i) return 0;
    return 1;
}
static int eight(int row) {
    if (row == 8) return 1;
    int count = 0;
    for (int c = 0; c < 8; c++)
        if (safe(row, c)) {
            place[row] = c;
            count += eight(row + 1);
        }
    return count;
}
static char grid[82];
static int sudoku(int at) {
    while (at < 81 && grid[at] != '.') at++;
    if (at == 81) return 1;
    for (char d = '1'; d <= '9'; d++) {
        int ok = 1;
        for (int i = 0; i < 9 && ok; i++)
            ok = grid[at / 9 * 9 + i] != d && grid[at % 9 + 9 * i] != d &&
                 grid[at / 27 * 27 + at % 9 / 3 * 3 + i / 3 * 9 + i % 3] != d;
        if (ok) {
            grid[at] = d;
            if (sudoku(at + 1)) return 1;
        }
    }
    grid[at] = '.';
    return 0;
}
static int board[6][6];
static long tried;
static int knight(int x, int y, int step) {
    static const int dx[] = {1, 2, 2, 1, -1, -2, -2, -1}, dy[] = {-2, -1, 1, 2, 2, 1, -1, -2};
    board[y][x] = step;
    tried++;
    if (step == 36) return 1;
    int order[8], n = 0, degree[8];
    for (int i = 0; i < 8; i++) {
        int u = x + dx[i], v = y + dy[i];
        if (u < 0 || v < 0 || u > 5 || v > 5 || board[v][u]) continue;
        int free = 0;
        for (int k = 0; k < 8; k++) {
            int p = u + dx[k], q = v + dy[k];
            free += p >= 0 && q >= 0 && p < 6 && q < 6 && !board[q][p];
        }
        int at = n++;
        while (at && degree[at - 1] > free) {
            degree[at] = degree[at - 1];
            order[at] = order[at - 1];
            at--;
        }
        degree[at] = free;
        order[at] = i;
    }
    for (int i = 0; i < n; i++)
        if (knight(x + dx[order[i]], y + dy[order[i]], step + 1)) return 1;
    board[y][x] = 0;
    return 0;
}

int main(void) {
    for (unsigned n = 4; n <= 9; n++) {
        solutions = 0;
        queens(0, 0, 0, (1u << n) - 1);
        printf("%u:%ld ", n, solutions);
    }
    printf("%d\n", eight(0));
    strcpy(grid, "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79");
    printf("%d %s\n", sudoku(0), grid);
    int done = knight(0, 0, 1);
    printf("%d %ld\n", done, tried);
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 6; x++) printf("%d%c", board[y][x], x == 5 ? '\n' : ' ');
    static uint32_t ways[1001];
    ways[0] = 1;
    for (int coin = 1; coin <= 100; coin++)
        for (int sum = 1000; sum >= coin; sum--) ways[sum] += ways[sum - coin];
    printf("%u %u\n", ways[50], ways[1000]);
    return 0;
}
