/* Processes and threads that come and go: the argument says how many rounds; each hundred it says a line,
 * and waits for one. A round forks a process that runs a program, one that exits at once, spawns one, and makes a thread.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const nothing[] = {"true", NULL};
static int wrong;

static void expect(pid_t child, int status) {
    int got;
    if (child < 0 || waitpid(child, &got, 0) != child || !WIFEXITED(got) || WEXITSTATUS(got) != status)
        wrong++;
}

static void *give_back(void *argument) { return argument; }

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 1;
    for (int round = 1; round <= rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            execve("/bin/true", nothing, NULL);
            _exit(99);
        }
        expect(child, 0);
        child = fork();
        if (child == 0)
            _exit(round & 63);
        expect(child, round & 63);
        if (posix_spawn(&child, "/bin/false", NULL, NULL, nothing, NULL))
            wrong++;
        expect(child, 1);
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, give_back, &wrong) || pthread_join(thread, &result) || result != &wrong)
            wrong++;
        if (round % 100 == 0) {
            printf("%d %d\n", round, wrong);
            fflush(stdout);
            getchar();
        }
    }
    return wrong != 0;
}
