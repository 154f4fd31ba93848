/* Without a C library, so that it is short: sums, writes a line, and exits with the sum. */

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

int numbers[] = {3, 1, 4, 1, 5, 9, 2, 6};
const char text[] = "sum\n";

__attribute__((noinline)) int sum(const int *values, int count) {
    int total = 0;
    for (int i = 0; i < count; i++)
        total += values[i];
    return total;
}

void _start(void) {
    int total = sum(numbers, 8);
    call(1, 1, (long)text, sizeof text - 1);
    call(231, total, 0, 0);
}
