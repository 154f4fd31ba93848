/* Files: stdio and raw descriptors; seek, append, truncate, stat, rename, unlink, pread, readv, errors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "support.h"

int main(void) {
    FILE *f = fopen("notes.txt", "w+");
    if (!f) {
        perror("notes.txt");
        return 1;
    }
    for (int i = 0; i < 1000; i++) fprintf(f, "line %d of the file, value %d\n", i, i * i);
    fseek(f, -20, SEEK_END);
    long end = ftell(f);
    char line[100];
    if (fgets(line, sizeof line, f)) printf("%ld %s", end, line);
    rewind(f);
    int lines = 0, c;
    uint64_t h = 0;
    while ((c = fgetc(f)) != EOF) {
        h = fold(h, (uint64_t)c);
        lines += c == '\n';
    }
    printf("%d %016llx %d\n", lines, (unsigned long long)h, feof(f) != 0);
    fclose(f);
    f = fopen("notes.txt", "a");
    fputs("appended\n", f);
    fclose(f);
    struct stat s;
    stat("notes.txt", &s);
    printf("%lld %o %d\n", (long long)s.st_size, (unsigned)(s.st_mode & S_IFMT), S_ISREG(s.st_mode));
    int fd = open("data.bin", O_RDWR | O_CREAT | O_TRUNC, 0640);
    for (uint32_t i = 0; i < 256; i++)
        if (write(fd, &i, 4) != 4) return 2;
    uint32_t got[4];
    ssize_t n = pread(fd, got, sizeof got, 400);
    printf("%zd %u %u %lld\n", n, got[0], got[3], (long long)lseek(fd, 0, SEEK_CUR));
    lseek(fd, 16, SEEK_SET);
    char a[3], b[5];
    struct iovec parts[] = {{a, 3}, {b, 5}};
    n = readv(fd, parts, 2);
    printf("%zd %d %d\n", n, a[0], b[1]);
    struct iovec out[] = {{"first,", 6}, {"second", 6}};
    pwritev(fd, out, 2, 2000);
    fstat(fd, &s);
    printf("%lld\n", (long long)s.st_size);
    n = ftruncate(fd, 100);
    fstat(fd, &s);
    printf("%lld %o %d\n", (long long)s.st_size, (unsigned)(s.st_mode & 0777), (int)s.st_nlink);
    int copy = dup(fd);
    lseek(copy, 50, SEEK_SET);
    printf("%lld\n", (long long)lseek(fd, 0, SEEK_CUR));
    close(copy);
    printf("%d ", fcntl(fd, F_GETFL) & O_ACCMODE);
    close(fd);
    printf("%d %d\n", read(fd, a, 1) < 0 ? errno : 0, open("no/such/file", O_RDONLY) < 0 ? errno : 0);
    n = rename("data.bin", "moved.bin");
    printf("%zd %d %d\n", n, access("data.bin", F_OK) ? errno : 0, access("moved.bin", R_OK));
    n = symlink("moved.bin", "link");
    printf("%zd %d\n", n, (int)readlink("link", line, sizeof line));
    n = unlink("link") + unlink("moved.bin") + unlink("notes.txt");
    printf("%zd %d\n", n, unlink("notes.txt") ? errno : 0);
    f = tmpfile();
    fwrite(&h, sizeof h, 1, f);
    rewind(f);
    uint64_t back = 0;
    n = (ssize_t)fread(&back, sizeof back, 1, f);
    printf("%zd %d\n", n, back == h);
    fclose(f);
    char *text = NULL;
    size_t size = 0;
    f = open_memstream(&text, &size);
    fprintf(f, "in memory %d", 42);
    fclose(f);
    printf("%s %zu\n", text, size);
    free(text);
    return 0;
}
