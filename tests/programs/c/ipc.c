/* Shared memory, semaphores and messages of System V, and POSIX message queues, between a process and its child.
 * guests: x86_64 i386 riscv64
 * qemu: 7.2 starts riscv64 programs only where binfmt_misc is set up
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support.h"

union semun { int val; struct semid_ds *buf; unsigned short *array; };

static void shared_memory(void) {
    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    char *area = shmat(id, NULL, 0), *readable = shmat(id, NULL, SHM_RDONLY);
    printf("%d %d %d\n", area != (char *)-1, readable != (char *)-1, area != readable);
    strcpy(area, "from the parent");
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        printf("%s\n", readable);
        fflush(stdout);
        strcpy(area + 5000, "from the child");
        int first = shmdt(area);
        printf("%d %d\n", first, shmdt(area) ? errno : 0);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    struct shmid_ds state;
    printf("%s, %d\n", readable + 5000, shmctl(id, IPC_STAT, &state));
    printf("%zu bytes, %d attached, mode %o\n", state.shm_segsz, (int)state.shm_nattch, state.shm_perm.mode);
    char *high = shmat(id, area + 1, 0);
    printf("%d %d\n", high == (char *)-1, errno);
    high = shmat(id, area, 0);
    printf("%d %d\n", high == (char *)-1, errno);
    printf("%d", shmdt(area));
    printf(" %d", shmctl(id, IPC_RMID, NULL));
    high = shmat(id, area, 0);
    printf(" %d\n", high == area && !strcmp(high, "from the parent"));
    printf("%d", shmdt(high));
    printf(" %d", shmdt(readable));
    printf(" %d\n", shmat(id, NULL, 0) == (void *)-1);
    printf("%d\n", fork() ? (wait(&id), WTERMSIG(id)) : *(volatile char *)area);
}

static void semaphores(void) {
    int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
    unsigned short values[3] = {1, 0, 5};
    union semun argument = {.array = values};
    printf("%d", semctl(id, 0, SETALL, argument));
    printf(" %d\n", semctl(id, 2, GETVAL));
    pid_t child = fork();
    if (!child) {
        struct sembuf wait_then_post[2] = {{1, -1, 0}, {2, 3, 0}};
        _exit(semop(id, wait_then_post, 2));
    }
    struct sembuf post = {1, 1, 0}, try = {0, -2, IPC_NOWAIT}, take = {0, -2, 0};
    semop(id, &post, 1);
    waitpid(child, NULL, 0);
    printf("%d %d\n", semctl(id, 2, GETVAL), semop(id, &try, 1) ? errno : 0);
    struct timespec soon = {0, 20000000};
    printf("%d\n", semtimedop(id, &take, 1, &soon) ? errno : 0);
    argument.val = 9;
    semctl(id, 0, SETVAL, argument);
    memset(values, 0, sizeof values);
    argument.array = values;
    semctl(id, 0, GETALL, argument);
    printf("%d %d %d\n", values[0], values[1], values[2]);
    struct semid_ds state;
    argument.buf = &state;
    printf("%d", semctl(id, 0, IPC_STAT, argument));
    printf(" %d semaphores, mode %o, %d\n", (int)state.sem_nsems, state.sem_perm.mode, state.sem_otime > 1000000000);
    state.sem_perm.mode = 0400;
    printf("%d", semctl(id, 0, IPC_SET, argument));
    printf(" %d", semctl(id, 0, IPC_STAT, argument));
    printf(" %o\n", state.sem_perm.mode);
    printf("%d", semctl(id, 0, IPC_RMID));
    printf(" %d\n", semctl(id, 0, GETVAL) < 0 ? errno : 0);
}

static void messages(void) {
    struct { long kind; char text[32]; } message = {7, "seven"}, other = {3, "three"}, received;
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    printf("%d", msgsnd(id, &message, 6, 0));
    printf(" %d\n", msgsnd(id, &other, 6, 0));
    struct msqid_ds state;
    printf("%d", msgctl(id, IPC_STAT, &state));
    printf(" %d messages\n", (int)state.msg_qnum);
    printf("%d %s\n", (int)msgrcv(id, &received, 32, 3, 0), received.text);
    printf("%d %s\n", (int)msgrcv(id, &received, 32, 0, 0), received.text);
    printf("%d\n", msgrcv(id, &received, 32, 0, IPC_NOWAIT) < 0 ? errno : 0);
    printf("%d\n", msgctl(id, IPC_RMID, NULL));
}

static void queues(void) {
    char name[32], text[64];
    snprintf(name, sizeof name, "/metaphrase-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
    if (queue == (mqd_t)-1) {
        printf("no queues: %d\n", errno);
        return;
    }
    printf("%d", mq_send(queue, "low", 4, 1));
    printf(" %d\n", mq_send(queue, "high", 5, 9));
    printf("%d", mq_getattr(queue, &attributes));
    printf(" %ld of %ld\n", attributes.mq_curmsgs, attributes.mq_maxmsg);
    unsigned priority;
    int length;
    length = (int)mq_receive(queue, text, 64, &priority);
    printf("%d %s %u\n", length, text, priority);
    length = (int)mq_receive(queue, text, 64, &priority);
    printf("%d %s %u\n", length, text, priority);
    printf("%d\n", mq_receive(queue, text, 64, &priority) < 0 ? errno : 0);
    printf("%d", mq_close(queue));
    printf(" %d\n", mq_unlink(name));
}

int main(void) {
    shared_memory();
    semaphores();
    messages();
    queues();
    return 0;
}
