/* Ways out: constructors, destructors, atexit order, stdio flushed by exit, status kept.
 * status: 42
 */
#include <unistd.h>
#include "support.h"
__attribute__((constructor(101))) static void first(void) { printf("constructor 101\n"); }
__attribute__((constructor(102))) static void second(void) { printf("constructor 102\n"); }
__attribute__((destructor(101))) static void last(void) { printf("destructor 101\n"); }
__attribute__((destructor(102))) static void before_last(void) { printf("destructor 102\n"); }
static void one(void) { printf("atexit one\n"); }
static void two(void) {
    printf("atexit two\n");
    atexit(one);
}
static int on_the_way = 3;

int main(void) {
    atexit(one);
    atexit(two);
    static char buffer[BUFSIZ];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    printf("main %d ", on_the_way);
    while (on_the_way--) printf("%d ", on_the_way);
    printf("leaving\n");
    exit(42 + 256);
}
