/* Matrices of integers, floats and doubles: product, transpose, determinant, inverse, powers modulo a prime. */
#include "support.h"
#define N 32
static int32_t ia[N][N], ib[N][N], ic[N][N];
static double da[N][N], db[N][N], dc[N][N];
static float fa[N][N], fb[N][N], fc[N][N];
#define PRODUCT(c, a, b, type)                                    \
    for (int i = 0; i < N; i++)                                   \
        for (int j = 0; j < N; j++) {                             \
            type sum = 0;                                         \
            for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j]; \
            c[i][j] = sum;                                        \
        }
static double determinant(double m[8][8]) {
    double d = 1;
    for (int i = 0; i < 8; i++) {
        int pivot = i;
        for (int r = i + 1; r < 8; r++)
            if (m[r][i] * m[r][i] > m[pivot][i] * m[pivot][i]) pivot = r;
        if (pivot != i) {
            d = -d;
            for (int c = 0; c < 8; c++) {
                double t = m[i][c];
                m[i][c] = m[pivot][c];
                m[pivot][c] = t;
            }
        }
        d *= m[i][i];
        for (int r = i + 1; r < 8; r++) {
            double f = m[r][i] / m[i][i];
            for (int c = i; c < 8; c++) m[r][c] -= f * m[i][c];
        }
    }
    return d;
}
static void power(uint64_t r[2][2], uint64_t e, uint64_t p) {
    uint64_t b[2][2] = {{1, 1}, {1, 0}};
    r[0][0] = r[1][1] = 1;
    r[0][1] = r[1][0] = 0;
    for (; e; e >>= 1) {
        uint64_t t[2][2];
        if (e & 1) {
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) t[i][j] = (r[i][0] * b[0][j] + r[i][1] * b[1][j]) % p;
            memcpy(r, t, sizeof t);
        }
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++) t[i][j] = (b[i][0] * b[0][j] + b[i][1] * b[1][j]) % p;
        memcpy(b, t, sizeof t);
    }
}

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            ia[i][j] = (int)(next_random() % 200) - 100;
            ib[i][j] = (int)(next_random() % 200) - 100;
            da[i][j] = ia[i][j] / 7.0;
            db[i][j] = ib[i][j] / 3.0;
            fa[i][j] = (float)ia[i][j] / 7;
            fb[i][j] = (float)ib[i][j] / 3;
        }
    PRODUCT(ic, ia, ib, int32_t)
    PRODUCT(dc, da, db, double) PRODUCT(fc, fa, fb, float)
        printf("%016llx %016llx %016llx\n", (unsigned long long)fold_bytes(0, ic, sizeof ic),
               (unsigned long long)fold_bytes(0, dc, sizeof dc), (unsigned long long)fold_bytes(0, fc, sizeof fc));
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++) {
            int t = ic[i][j];
            ic[i][j] = ic[j][i];
            ic[j][i] = t;
        }
    printf("%016llx\n", (unsigned long long)fold_bytes(0, ic, sizeof ic));
    double m[8][8];
    for (int i = 0; i < 8; i++) memcpy(m[i], da[i], sizeof m[i]);
    printf("%016llx\n", (unsigned long long)double_bits(determinant(m)));
    uint64_t r[2][2];
    power(r, 1000000007ull * 998244353ull, 1000000007);
    printf("%llu %llu\n", (unsigned long long)r[0][0], (unsigned long long)r[0][1]);
    return 0;
}
