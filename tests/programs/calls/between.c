#include "cases.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };
struct text { long type; char text[64]; };

CASE(shared_memory) {
    struct shmid_ds state;
    int segment = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0640);
    SHOW(segment >= 0), SHOW(shmctl(segment, IPC_STAT, &state)), SHOW(state.shm_segsz), SHOW(state.shm_nattch), printf("%o\n", state.shm_perm.mode), SHOW(state.shm_perm.uid == getuid()), SHOW(state.shm_cpid == getpid()), SHOW(state.shm_lpid), SHOW(state.shm_atime), SHOW(state.shm_ctime > 1000000);
    char *one = shmat(segment, NULL, 0), *two = shmat(segment, NULL, SHM_RDONLY);
    SHOW(one != (void *)-1), SHOW(one != two), strcpy(one, "shared"), puts(two), SHOW(one[8191]), SHOW(shmctl(segment, IPC_STAT, &state)), SHOW(state.shm_nattch), SHOW(state.shm_lpid == getpid());
    if (fork() == 0)
        strcpy(one + 10, "by a child"), _exit(0);
    wait(NULL), puts(two + 10);
    if (fork() == 0)
        two[0] = 'x', _exit(0);
    int status;
    wait(&status), SHOW(WTERMSIG(status)), SHOW(shmdt(two)), SHOW(shmdt(two)), SHOW(shmdt(one + 1)), SHOW(shmctl(segment, IPC_RMID, NULL)), puts(one), SHOW(shmctl(segment, IPC_STAT, &state)), printf("%o\n", state.shm_perm.mode), SHOW(shmdt(one)), SHOW(shmctl(segment, IPC_STAT, &state)), SHOW((long)shmat(segment, NULL, 0));
}
CASE(places_of_shared_memory) {
    key_t key = 0x5A000000 | getpid();
    int segment = shmget(IPC_PRIVATE, 8192, 0600);
    char *area = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area, 65536), SHOW(shmat(segment, area, 0) == area), SHOW((long)shmat(segment, area, 0)), SHOW((long)shmat(segment, area + 4096, 0)), SHOW((long)shmat(segment, area + 16384 + 5, 0)), SHOW(shmat(segment, area + 16384 + 5, SHM_RND) == area + 16384), SHOW(shmat(segment, area + 4096, SHM_REMAP) == area + 4096), SHOW((long)shmat(segment, NULL, SHM_REMAP)), area[0] = 'q', SHOW(area[4096]), SHOW(area[16384]), SHOW(munmap(area + 16384, 4096)), SHOW(shmdt(area + 4096)), SHOW(shmdt(area)), SHOW(shmctl(segment, IPC_RMID, NULL));
    SHOW(shmget(IPC_PRIVATE, 0, 0600)), SHOW(shmget(0x1234567, 4096, 0)), SHOW(shmctl(segment, IPC_STAT, &(struct shmid_ds){0})), SHOW(shmctl(-1, IPC_STAT, &(struct shmid_ds){0})), SHOW(shmctl(segment, 99, NULL)), SHOW((long)shmat(-1, NULL, 0)), segment = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600), SHOW(segment >= 0), SHOW(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600)), SHOW(shmget(key, 4096, 0) == segment), SHOW(shmget(key, 8192, 0)), SHOW(syscall(SYS_shmctl, segment, IPC_STAT, 8)), SHOW(syscall(SYS_shmctl, segment, IPC_SET, 8));
    struct shmid_ds state;
    struct shm_info info;
    struct shminfo limits;
    shmctl(segment, IPC_STAT, &state), SHOW(state.shm_perm.__key == key), state.shm_perm.mode = 0400, SHOW(shmctl(segment, IPC_SET, &state)), SHOW(shmctl(segment, IPC_STAT, &state)), printf("%o\n", state.shm_perm.mode), SHOW(shmctl(0, SHM_INFO, (void *)&info) >= 0), SHOW(info.used_ids > 0), SHOW(shmctl(0, IPC_INFO, (void *)&limits) >= 0), SHOW(limits.shmmni), SHOW(limits.shmmin), SHOW(shmctl(segment, SHM_LOCK, NULL)), SHOW(shmctl(segment, SHM_UNLOCK, NULL)), SHOW(shmctl(segment, IPC_RMID, NULL));
}
CASE(semaphores) {
    struct semid_ds state;
    unsigned short values[3] = {5, 6, 7}, got[3] = {0};
    int set = semget(IPC_PRIVATE, 3, 0600);
    SHOW(set >= 0), SHOW(semctl(set, 0, SETALL, (union semun){.array = values})), SHOW(semctl(set, 0, GETALL, (union semun){.array = got})), printf("%d %d %d\n", got[0], got[1], got[2]), SHOW(semctl(set, 1, SETVAL, (union semun){.val = 9})), SHOW(semctl(set, 1, GETVAL)), SHOW(semctl(set, 1, GETPID) == getpid()), SHOW(semctl(set, 1, GETNCNT)), SHOW(semctl(set, 1, GETZCNT)), SHOW(semctl(set, 0, IPC_STAT, (union semun){.buf = &state})), SHOW(state.sem_nsems), printf("%o\n", state.sem_perm.mode), SHOW(state.sem_otime), SHOW(state.sem_ctime > 1000000);
    SHOW(semop(set, (struct sembuf[]){{0, -2, 0}, {1, 1, 0}}, 2)), SHOW(semctl(set, 0, GETVAL)), SHOW(semctl(set, 1, GETVAL)), SHOW(semop(set, (struct sembuf[]){{0, -100, IPC_NOWAIT}}, 1)), SHOW(semop(set, (struct sembuf[]){{2, 0, IPC_NOWAIT}}, 1)), SHOW(semop(set, (struct sembuf[]){{0, -1, 0}, {1, -100, IPC_NOWAIT}}, 2)), SHOW(semctl(set, 0, GETVAL)), SHOW(semop(set, (struct sembuf[]){{3, 1, 0}}, 1)), SHOW(semop(set, (struct sembuf[]){{0, 32767, 0}}, 1)), SHOW(semop(set, NULL, 1)), SHOW(semop(set, NULL, 0)), SHOW(semop(set, NULL, 5000)), SHOW(semop(-1, (struct sembuf[]){{0, 1, 0}}, 1)), SHOW(semtimedop(set, (struct sembuf[]){{0, -100, 0}}, 1, &(struct timespec){0, 10000000})), SHOW(semtimedop(set, (struct sembuf[]){{0, -100, 0}}, 1, &(struct timespec){0, -1})), SHOW(semtimedop(set, (struct sembuf[]){{0, -1, 0}}, 1, NULL));
    SHOW(semctl(set, 0, SETVAL, (union semun){.val = -1})), SHOW(semctl(set, 0, SETVAL, (union semun){.val = 1 << 20})), SHOW(semctl(set, 5, GETVAL)), SHOW(semctl(set, 0, 99)), SHOW(syscall(SYS_semctl, set, 0, GETALL, 8)), SHOW(syscall(SYS_semctl, set, 0, IPC_STAT, 8)), SHOW(semget(IPC_PRIVATE, 0, 0600)), SHOW(semget(IPC_PRIVATE, 1 << 20, 0600)), SHOW(semget(0x7654321, 1, 0)), state.sem_perm.mode = 0400, SHOW(semctl(set, 0, IPC_SET, (union semun){.buf = &state})), SHOW(semctl(set, 0, IPC_STAT, (union semun){.buf = &state})), printf("%o\n", state.sem_perm.mode), SHOW(state.sem_otime > 1000000);
    struct seminfo info;
    SHOW(semctl(0, 0, IPC_INFO, (union semun){.info = &info}) >= 0), SHOW(info.semvmx), SHOW(semctl(0, 0, SEM_INFO, (union semun){.info = &info}) >= 0), SHOW(info.semusz > 0), SHOW(semctl(set, 0, IPC_RMID)), SHOW(semctl(set, 0, GETVAL)), SHOW(semop(set, (struct sembuf[]){{0, 1, 0}}, 1));
}
CASE(waiting_for_semaphores) {
    int set = semget(IPC_PRIVATE, 2, 0600), status;
    semctl(set, 0, SETVAL, (union semun){.val = 1});
    if (fork() == 0)
        semop(set, (struct sembuf[]){{0, -1, SEM_UNDO}}, 1), SHOW(semctl(set, 0, GETVAL)), _exit(0);
    wait(NULL), SHOW(semctl(set, 0, GETVAL));
    if (fork() == 0)
        _exit(semop(set, (struct sembuf[]){{1, -1, 0}}, 1) == 0 ? 5 : errno);
    while (semctl(set, 1, GETNCNT) == 0)
        usleep(1000);
    SHOW(semctl(set, 1, GETNCNT)), SHOW(semop(set, (struct sembuf[]){{1, 1, 0}}, 1)), wait(&status), SHOW(WEXITSTATUS(status));
    if (fork() == 0)
        _exit(semop(set, (struct sembuf[]){{0, 0, 0}}, 1) == 0 ? 5 : errno);
    while (semctl(set, 0, GETZCNT) == 0)
        usleep(1000);
    SHOW(semctl(set, 0, IPC_RMID)), wait(&status), SHOW(WEXITSTATUS(status) == EIDRM);
}
CASE(messages) {
    struct msqid_ds state;
    struct text message = {5, "five"}, got = {0};
    int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    SHOW(queue >= 0), SHOW(msgsnd(queue, &message, 5, 0)), message.type = 3, strcpy(message.text, "three"), SHOW(msgsnd(queue, &message, 6, 0)), message.type = 9, SHOW(msgsnd(queue, &message, 0, 0)), SHOW(msgctl(queue, IPC_STAT, &state)), SHOW(state.msg_qnum), SHOW(state.msg_lspid == getpid()), SHOW(state.msg_lrpid), SHOW(state.__msg_cbytes), SHOW(state.msg_qbytes > 1000), SHOW(state.msg_stime > 1000000), SHOW(state.msg_rtime), printf("%o\n", state.msg_perm.mode);
    SHOW(msgrcv(queue, &got, 64, -4, 0)), SHOW(got.type), puts(got.text), SHOW(msgrcv(queue, &got, 2, 0, 0)), SHOW(msgrcv(queue, &got, 2, 0, MSG_NOERROR)), SHOW(got.type), printf("%.2s\n", got.text), SHOW(msgrcv(queue, &got, 64, 7, IPC_NOWAIT)), SHOW(msgrcv(queue, &got, 64, 7, MSG_EXCEPT)), SHOW(got.type), SHOW(msgrcv(queue, &got, 64, 0, IPC_NOWAIT)), SHOW(msgrcv(queue, &got, -1, 0, 0)), SHOW(msgsnd(queue, &message, -1, 0)), SHOW(msgsnd(queue, &message, 1 << 20, 0)), message.type = 0, SHOW(msgsnd(queue, &message, 4, 0)), message.type = -3, SHOW(msgsnd(queue, &message, 4, 0)), SHOW(msgsnd(queue, (void *)8, 4, 0)), SHOW(msgsnd(-1, &message, 4, 0)), SHOW(msgrcv(-1, &got, 4, 0, 0)), message.type = 1, SHOW(msgsnd(queue, &message, 4, 0)), SHOW(msgrcv(queue, (void *)8, 64, 0, 0)), SHOW(msgget(0x7654322, 0));
    state.msg_qbytes = 8, SHOW(msgctl(queue, IPC_SET, &state)), SHOW(msgctl(queue, IPC_STAT, &state)), SHOW(state.msg_qbytes), SHOW(msgsnd(queue, &message, 6, IPC_NOWAIT)), SHOW(msgsnd(queue, &message, 12, IPC_NOWAIT));
    struct msginfo info;
    SHOW(msgctl(0, IPC_INFO, (void *)&info) >= 0), SHOW(info.msgmax > 0), SHOW(msgctl(0, MSG_INFO, (void *)&info) >= 0), SHOW(info.msgpool > 0), SHOW(syscall(SYS_msgctl, queue, IPC_STAT, 8)), SHOW(msgctl(queue, 99, NULL));
    int status;
    if (fork() == 0)
        _exit(msgrcv(queue, &got, 64, 77, 0) < 0 && errno == EIDRM ? 5 : 6);
    usleep(500000), SHOW(msgctl(queue, IPC_RMID, NULL)), wait(&status), SHOW(WEXITSTATUS(status)), SHOW(msgctl(queue, IPC_STAT, &state)), SHOW(msgsnd(queue, &message, 4, 0));
}
static void nothing(int number) { (void)number; }
CASE(interrupted) {
    struct text got;
    int queue = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 1, 0600);
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        for (;;)
            usleep(30000), kill(parent, SIGUSR1);
    SHOW(msgrcv(queue, &got, 64, 0, 0)), SHOW(semop(set, (struct sembuf[]){{0, -1, 0}}, 1)), SHOW(semtimedop(set, (struct sembuf[]){{0, -1, 0}}, 1, &(struct timespec){10, 0})), kill(child, SIGKILL), wait(NULL), msgctl(queue, IPC_RMID, NULL), semctl(set, 0, IPC_RMID);
}
CASE(queues) {
    char name[32], data[64] = "";
    struct mq_attr how = {.mq_maxmsg = 3, .mq_msgsize = 16}, told = {0};
    unsigned priority = 77;
    snprintf(name, sizeof name, "/metaphrase-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &how);
    SHOW(queue != (mqd_t)-1), SHOW(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &how)), SHOW(mq_getattr(queue, &told)), printf("%ld %ld %ld %ld\n", told.mq_flags & O_NONBLOCK, told.mq_maxmsg, told.mq_msgsize, told.mq_curmsgs), SHOW(mq_receive(queue, data, 64, &priority)), SHOW(mq_send(queue, "low", 4, 1)), SHOW(mq_send(queue, "high", 5, 9)), SHOW(mq_send(queue, "", 0, 1)), SHOW(mq_send(queue, "full", 5, 1)), SHOW(mq_send(queue, "longer than sixteen", 20, 1)), SHOW(mq_send(queue, "x", 1, 1 << 20)), SHOW(mq_getattr(queue, &told)), SHOW(told.mq_curmsgs), SHOW(mq_receive(queue, data, 4, NULL)), SHOW(mq_receive(queue, data, 64, &priority)), printf("%s %u\n", data, priority), SHOW(mq_receive(queue, data, 64, NULL)), SHOW(mq_receive(queue, data, 64, &priority)), SHOW(priority);
    struct pollfd poller = {queue, POLLIN | POLLOUT, 0};
    SHOW(poll(&poller, 1, 0)), printf("%x\n", poller.revents), how.mq_flags = 0, SHOW(mq_setattr(queue, &how, &told)), SHOW(told.mq_flags & O_NONBLOCK), how.mq_flags = 77, SHOW(mq_setattr(queue, &how, NULL)), SHOW(mq_timedreceive(queue, data, 64, NULL, &(struct timespec){1, 0})), SHOW(mq_timedreceive(queue, data, 64, NULL, &(struct timespec){1, -1}));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 12};
    sigset_t one;
    siginfo_t info;
    sigemptyset(&one), sigaddset(&one, SIGUSR1), sigprocmask(SIG_BLOCK, &one, NULL), SHOW(mq_notify(queue, &event)), SHOW(mq_notify(queue, &event)), SHOW(mq_send(queue, "told", 5, 0)), SHOW(sigwaitinfo(&one, &info) == SIGUSR1), SHOW(info.si_code), SHOW(info.si_value.sival_int), SHOW(mq_notify(queue, NULL)), event.sigev_notify = 77, SHOW(mq_notify(queue, &event)), SHOW(mq_timedsend(queue, "x", 1, 1, &(struct timespec){1, 0})), SHOW(mq_timedsend(queue, "x", 1, 1, &(struct timespec){1, 0})), SHOW(mq_timedsend(queue, "x", 1, 1, &(struct timespec){1, 0})), SHOW(mq_send(99, "x", 1, 0)), SHOW(mq_getattr(0, &told)), SHOW(mq_unlink(name)), SHOW(mq_unlink(name)), SHOW(mq_open(name, O_RDWR)), SHOW(mq_open("/a/b", O_CREAT | O_RDWR, 0600, &how)), how.mq_maxmsg = 0, how.mq_flags = 0, SHOW(mq_open(name, O_CREAT | O_RDWR, 0600, &how)), SHOW(mq_close(queue)), SHOW(mq_close(queue)), SHOW(syscall(SYS_mq_open, 8, O_RDWR, 0, NULL)), SHOW(syscall(SYS_mq_unlink, 8));
}
CASE(told_after_much_work) {
    /* The kernel forgets whom to tell when this process closes the queue in whatever table of descriptors. */
    char name[32];
    struct mq_attr how = {.mq_maxmsg = 3, .mq_msgsize = 16};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigset_t one;
    snprintf(name, sizeof name, "/metaphrase-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &how);
    sigemptyset(&one), sigaddset(&one, SIGUSR1), sigprocmask(SIG_BLOCK, &one, NULL), SHOW(mq_unlink(name)), SHOW(mq_notify(queue, &event));
    for (volatile int count = 0; count < 5000000; count++)
        ;
    usleep(100000), SHOW(mq_send(queue, "told", 5, 0)), SHOW(sigtimedwait(&one, NULL, &(struct timespec){5, 0}) == SIGUSR1);
}
