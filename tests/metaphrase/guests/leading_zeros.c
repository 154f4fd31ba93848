/* Counts zeros in a loop that becomes hot, built for CPUs that have LZCNT and TZCNT: others take these for BSR and BSF.
 * With -DVECTORS it adds integers by AVX2, which others refuse. */
#include <stdint.h>
#include <stdio.h>

#ifdef VECTORS
typedef uint32_t vector __attribute__((vector_size(32)));

__attribute__((noinline)) static vector add(vector a, vector b)
{
    return a + b;
}
#endif

int main(void)
{
    uint64_t sum = 0;
    for (uint32_t n = 1; n < 200000; n++)
        sum += 3 * __builtin_clz(n) + __builtin_ctz(n);
    printf("%llu\n", (unsigned long long)sum);
#ifdef VECTORS
    vector total = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int n = 0; n < 20000; n++)
        total = add(total, total + 1);
    printf("%u\n", total[3]);
#endif
    return 0;
}
