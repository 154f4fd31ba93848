/* A name that turns from a folder into a link and back, while another process opens what lies beneath.
 *
 * The first argument is a hidden folder with `secret` in it, the second a folder that can be written, the third how many
 * times. What is opened is always the guest's own file.
 */
#include "escape.h"

static void flip(const char *folder) {
    (void)!chdir(folder);
    for (;;) {
        rename("real", "name");
        rename("name", "real");
        (void)!symlink("hidden", "next");
        rename("next", "name");
        unlink("name");
    }
}

int main(int count, char **arguments) {
    if (count != 4)
        return 2;
    char text[4096], data[64];
    long times = atol(arguments[3]), own = 0, missing = 0;
    WORKS(chdir(arguments[2]) == 0);
    WORKS(mkdir("real", 0700) == 0);
    int made = open("real/secret", O_CREAT | O_WRONLY, 0600);
    WORKS(made >= 0 && write(made, "own", 3) == 3 && close(made) == 0);
    WORKS(symlink(arguments[1], "hidden") == 0);
    snprintf(text, sizeof text, "name/secret");
    pid_t child = fork();
    if (child == 0)
        flip(arguments[2]);
    for (long time = 0; time < times; time++) {
        int opened = open(text, O_RDONLY);
        if (opened < 0) {
            int error = errno;
            missing++;
            WORKS(error == ENOENT || error == ENOTDIR || error == ELOOP);
            continue;
        }
        ssize_t size = read(opened, data, sizeof data);
        WORKS(size == 3 && !memcmp(data, "own", 3));
        own++;
        close(opened);
        opened = open("name/made", O_CREAT | O_WRONLY, 0600);
        if (opened >= 0)
            close(opened);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    WORKS(missing > 0);
    fprintf(stderr, "%ld own, %ld missing\n", own, missing);
    return verdict();
}
