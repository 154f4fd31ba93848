# Compilers, assembler and linker, two at a time; then only what has changed; then an error.
# needs: make gcc
# long
for name in one two three; do
  cat > $name.c <<END
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int $name(int seed) {
  int numbers[100];
  for (int i = 0; i < 100; i++) numbers[i] = (i * seed) % 101;
  qsort(numbers, 100, sizeof *numbers, compare);
  printf("$name %d %d\n", numbers[0], numbers[99]);
  return numbers[50];
}
END
done
echo 'int one(int), two(int), three(int); int main(void) { return one(3) + two(5) - three(7); }' > main.c
cat > Makefile <<'END'
program: main.o one.o two.o three.o
	gcc -o $@ $^
%.o: %.c
	gcc -O2 -Wall -c -o $@ $<
END
make -s -j2
./program
echo "ended with $?"
make
touch two.c
make
echo 'int broken' > three.c
make -j2 -k 2>&1 | grep -c 'error:'
objdump -d main.o | grep -c call
