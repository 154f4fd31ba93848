#include "cases.h"
#include <poll.h>
#include <pty.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>

static void silent(int number) { (void)number; }

CASE(counters) {
    uint64_t value = 0;
    int counter = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), one = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    struct pollfd some[2] = {{counter, POLLIN | POLLOUT, 0}, {one, POLLIN, 0}};
    SHOW(fcntl(counter, F_GETFD)), SHOW(poll(some, 2, 0)), printf("%x %x\n", some[0].revents, some[1].revents), SHOW(read(counter, &value, 16)), SHOW(value), SHOW(read(counter, &value, 8)), SHOW(read(counter, &value, 7)), SHOW(read(one, &value, 8)), SHOW(value), SHOW(read(one, &value, 8)), SHOW(read(one, &value, 8)), value = UINT64_MAX - 1, SHOW(write(counter, &value, 8)), value = 1, SHOW(write(counter, &value, 8)), SHOW(poll(some, 1, 0)), printf("%x\n", some[0].revents), value = 0, SHOW(write(counter, &value, 8)), SHOW(write(counter, &value, 4)), SHOW(eventfd(0, 77)), SHOW(lseek(counter, 0, SEEK_SET)), SHOW(pread(counter, &value, 8, 0)), SHOW(read(counter, (void *)8, 8));
    fcntl(one, F_SETFL, 0);
    if (fork() == 0)
        usleep(20000), value = 2, (void)!write(one, &value, 8), _exit(0);
    SHOW(read(one, &value, 8)), SHOW(value), wait(NULL), SHOW(read(one, &value, 8));
}
CASE(timers) {
    uint64_t times = 0;
    struct itimerspec timer = {{0, 5000000}, {0, 5000000}}, now;
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), real = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    SHOW(timerfd_gettime(file, &now)), SHOW(now.it_value.tv_nsec), SHOW(timerfd_settime(file, 0, &timer, &now)), usleep(23000), SHOW(read(file, &times, 8)), SHOW(times >= 4), SHOW(timerfd_gettime(file, &now)), SHOW(now.it_interval.tv_nsec), SHOW(now.it_value.tv_nsec <= 5000000), timer.it_value.tv_nsec = 0, SHOW(timerfd_settime(file, 0, &timer, &now)), SHOW(now.it_interval.tv_nsec), fcntl(file, F_SETFL, O_NONBLOCK), SHOW(read(file, &times, 8)), timer = (struct itimerspec){{0, 0}, {1, 0}}, SHOW(timerfd_settime(real, TFD_TIMER_ABSTIME, &timer, NULL)), SHOW(read(real, &times, 8)), SHOW(times), SHOW(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &timer, NULL)), SHOW(read(real, &times, 4)), SHOW(write(real, &times, 8)), SHOW(timerfd_gettime(0, &now)), SHOW(timerfd_settime(99, 0, &timer, NULL)), SHOW(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0)), SHOW(timerfd_create(CLOCK_BOOTTIME, 0) > 0);
}
CASE(watching_files) {
    char buffer[4096] __attribute__((aligned(8)));
    mkdir("d", 0700);
    int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), waiting = 0;
    SHOW(read(watcher, buffer, sizeof buffer));
    int folder = SHOW(inotify_add_watch(watcher, "d", IN_ALL_EVENTS));
    close(open("d/f", O_CREAT | O_RDWR, 0600)), rename("d/f", "d/g"), truncate("d/g", 5), mkdir("d/sub", 0700), rmdir("d/sub"), chmod("d/g", 0644), unlink("d/g");
    SHOW(ioctl(watcher, FIONREAD, &waiting)), SHOW(read(watcher, buffer, 8));
    long got = read(watcher, buffer, sizeof buffer);
    SHOW(got == waiting);
    unsigned cookie = 0;
    for (long at = 0; at < got;) {
        struct inotify_event *event = (void *)(buffer + at);
        printf("%d %x %s %d", event->wd == folder, event->mask, event->len ? event->name : "-", event->len), at += sizeof *event + event->len;
        if (event->mask & IN_MOVED_FROM)
            cookie = event->cookie;
        printf(event->mask & IN_MOVED_TO ? " %d\n" : "\n", event->cookie == cookie && cookie != 0);
    }
    SHOW(inotify_add_watch(watcher, "d", IN_CREATE | IN_ONESHOT)), SHOW(inotify_add_watch(watcher, "d", IN_MASK_CREATE | IN_CREATE)), SHOW(inotify_add_watch(watcher, "d", 0)), SHOW(inotify_add_watch(watcher, "nothing", IN_CREATE)), SHOW(inotify_add_watch(0, "d", IN_CREATE)), SHOW(inotify_add_watch(99, "d", IN_CREATE)), close(open("f", O_CREAT, 0600)), SHOW(inotify_add_watch(watcher, "f", IN_ONLYDIR | IN_CREATE)), mkdir("d/x", 0700), mkdir("d/y", 0700), got = SHOW(read(watcher, buffer, sizeof buffer)), printf("%x %x\n", ((struct inotify_event *)buffer)->mask, ((struct inotify_event *)(buffer + 32))->mask), SHOW(inotify_rm_watch(watcher, folder)), SHOW(inotify_rm_watch(watcher, 77)), SHOW(inotify_rm_watch(0, 1)), SHOW(inotify_init1(77));
    folder = inotify_add_watch(watcher, "d/x", IN_DELETE_SELF), rmdir("d/x"), SHOW(read(watcher, buffer, sizeof buffer)), printf("%x\n", ((struct inotify_event *)buffer)->mask);
}
CASE(polled_files) {
    struct epoll_event event = {EPOLLIN | EPOLLET, {.u64 = 0x1122334455667788}}, found[8];
    int poller = epoll_create1(0), ends[2], same;
    (void)!pipe(ends), same = dup(ends[0]);
    SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event)), event.data.u64 = 2, event.events = EPOLLIN, SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, same, &event)), SHOW(write(ends[1], "x", 1)), SHOW(epoll_wait(poller, found, 8, 0)), SHOW(found[0].data.u64 == 0x1122334455667788 || found[1].data.u64 == 0x1122334455667788), SHOW(epoll_wait(poller, found, 8, 0)), SHOW(found[0].data.u64), SHOW(write(ends[1], "x", 1)), SHOW(epoll_wait(poller, found, 8, 0)), event.events = EPOLLIN | EPOLLONESHOT, SHOW(epoll_ctl(poller, EPOLL_CTL_MOD, same, &event)), SHOW(epoll_wait(poller, found, 1, 0)), close(ends[0]), SHOW(epoll_wait(poller, found, 8, 0)), SHOW(epoll_ctl(poller, EPOLL_CTL_DEL, ends[0], NULL)), event.events = EPOLLIN | EPOLLEXCLUSIVE, SHOW(epoll_ctl(poller, EPOLL_CTL_MOD, same, &event)), event.events = EPOLLOUT, SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, ends[1], &event)), SHOW(epoll_wait(poller, found, 8, 0)), printf("%x\n", found[0].events), close(same), SHOW(epoll_wait(poller, found, 8, 0)), printf("%x\n", found[0].events);
    int outer = epoll_create1(0), third = epoll_create1(0);
    SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, poller, &event)), SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, outer, &event)), SHOW(epoll_ctl(third, EPOLL_CTL_ADD, outer, &event)), event.events = EPOLLIN, SHOW(epoll_ctl(outer, EPOLL_CTL_MOD, poller, &event)), SHOW(epoll_wait(outer, found, 8, 0)), SHOW(epoll_wait(poller, found, -1, 0)), SHOW(epoll_wait(poller, found, 1 << 28, 0)), SHOW(epoll_pwait(poller, found, 8, 0, NULL)), SHOW(epoll_wait(0, found, 1, 0)), SHOW(lseek(poller, 0, SEEK_SET)), SHOW(read(poller, found, 8)), SHOW(fcntl(epoll_create1(EPOLL_CLOEXEC), F_GETFD)), SHOW(epoll_create(-1));
}
CASE(masks_of_waits) {
    sigset_t all, none, now;
    struct timespec some = {0, 20000000}, long_ = {10, 0};
    int poller = epoll_create1(0);
    struct epoll_event found;
    signal(SIGUSR1, silent), sigfillset(&all), sigemptyset(&none), sigprocmask(SIG_BLOCK, &all, NULL), raise(SIGUSR1);
    SHOW(poll(NULL, 0, 1)), SHOW(ppoll(NULL, 0, &long_, &none)), SHOW(ppoll(NULL, 0, &some, &all)), raise(SIGUSR1), SHOW(pselect(0, NULL, NULL, NULL, &long_, &none)), SHOW(pselect(0, NULL, NULL, NULL, &some, &all)), raise(SIGUSR1), SHOW(epoll_pwait(poller, &found, 1, 5000, &none)), SHOW(epoll_pwait(poller, &found, 1, 5, &all)), raise(SIGUSR1), SHOW(sigsuspend(&none)), sigprocmask(SIG_BLOCK, NULL, &now), SHOW(sigismember(&now, SIGUSR1)), SHOW(sigpending(&now)), SHOW(sigismember(&now, SIGUSR1)), SHOW(long_.tv_sec), SHOW(some.tv_nsec);
    SHOW(syscall(SYS_ppoll, NULL, 0, NULL, &none, 4)), SHOW(syscall(SYS_epoll_pwait, poller, &found, 1, 0, &none, 4));
    pid_t child = fork();
    if (child == 0)
        usleep(30000), kill(getppid(), SIGUSR1), _exit(0);
    SHOW(ppoll(NULL, 0, &long_, &none)), wait(NULL);
}
CASE(selected_files) {
    int ends[2], high;
    (void)!pipe(ends), high = fcntl(ends[0], F_DUPFD, 200);
    fd_set in, out, other;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&other);
    FD_SET(high, &in), FD_SET(ends[1], &out), FD_SET(ends[0], &other);
    struct timeval time = {5, 0}, none = {0, 0}, some = {0, 10000}, wrong = {0, -1};
    SHOW(select(high + 1, &in, &out, &other, &time)), SHOW(FD_ISSET(high, &in) != 0), SHOW(FD_ISSET(ends[1], &out) != 0), SHOW(FD_ISSET(ends[0], &other) != 0), SHOW(time.tv_sec >= 4), (void)!write(ends[1], "x", 1), FD_SET(high, &in), SHOW(select(high, &in, NULL, NULL, &none)), FD_SET(high, &in), SHOW(select(high + 1, &in, NULL, NULL, NULL)), SHOW(FD_ISSET(high, &in) != 0), close(high), SHOW(select(high + 1, &in, NULL, NULL, &none)), memset(&in, 0, sizeof in), SHOW(select(1024, &in, NULL, NULL, &some)), SHOW(some.tv_usec), SHOW(select(5000, NULL, NULL, NULL, &none)), SHOW(select(0, NULL, NULL, NULL, &wrong)), SHOW(select(-5, NULL, NULL, NULL, &none)), FD_SET(ends[0], &in), SHOW(pselect(1024, &in, NULL, NULL, &(struct timespec){0, 0}, NULL)), SHOW(pselect(1024, &in, NULL, NULL, &(struct timespec){0, 1000000000}, NULL));
}
CASE(polled_ends) {
    int ends[2], pair[2];
    (void)!pipe(ends), socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct pollfd some[6] = {{ends[0], POLLIN, 7}, {ends[1], POLLOUT, 7}, {pair[0], POLLIN | POLLOUT | POLLRDHUP, 7}, {-1, POLLIN, 7}, {99, POLLIN, 7}, {open("f", O_CREAT | O_RDWR, 0600), POLLIN | POLLOUT | POLLPRI, 7}};
    for (int turn = 0; turn < 3; turn++) {
        SHOW(poll(some, 6, 0));
        for (int index = 0; index < 6; index++)
            printf("%x ", some[index].revents);
        puts("");
        if (turn == 0)
            close(ends[1]), shutdown(pair[1], SHUT_WR), some[1].fd = -5;
        if (turn == 1)
            (void)!pipe(ends), close(ends[0]), some[1].fd = ends[1], close(pair[1]);
    }
    SHOW(poll(some, 1 << 30, 0)), SHOW(poll(some, -1, 0)), SHOW(poll(NULL, 0, 0)), SHOW(poll(some, 1, -7) > 0);
}
CASE(signals_by_descriptor) {
    struct signalfd_siginfo told[3];
    sigset_t two, one;
    sigemptyset(&two), sigaddset(&two, SIGRTMIN), sigaddset(&two, SIGCHLD), one = two, sigdelset(&one, SIGRTMIN), sigprocmask(SIG_BLOCK, &two, NULL);
    int file = signalfd(-1, &two, SFD_NONBLOCK | SFD_CLOEXEC);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 11}), sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = -12});
    struct pollfd poller = {file, POLLIN, 0};
    SHOW(poll(&poller, 1, 0)), SHOW(read(file, told, sizeof told) / (long)sizeof *told), SHOW(told[0].ssi_signo), SHOW(told[0].ssi_int), SHOW(told[1].ssi_int), SHOW(told[0].ssi_code), SHOW(told[0].ssi_pid == (unsigned)getpid()), SHOW(told[0].ssi_uid == getuid()), SHOW(read(file, told, sizeof told));
    pid_t child = fork();
    if (child == 0)
        _exit(9);
    fcntl(file, F_SETFL, 0), SHOW(read(file, told, sizeof told) / (long)sizeof *told), SHOW(told[0].ssi_signo), SHOW(told[0].ssi_status), SHOW(told[0].ssi_code), SHOW(told[0].ssi_pid == (unsigned)child), SHOW(waitpid(child, NULL, 0) == child), SHOW(signalfd(file, &one, 0) == file), fcntl(file, F_SETFL, O_NONBLOCK), raise(SIGRTMIN), SHOW(read(file, told, sizeof told)), SHOW(signalfd(file, &two, 0) == file), SHOW(read(file, told, sizeof told) / (long)sizeof *told), SHOW(told[0].ssi_code), SHOW(read(file, told, 100)), SHOW(signalfd(99, &two, 0)), SHOW(syscall(SYS_signalfd4, -1, &two, 4, 0));
}
/* What is written to a terminal comes to its other side a little later, and perhaps in parts. */
static ssize_t read_settled(int file, void *data, size_t size) { return usleep(100000), read(file, data, size); }
CASE(terminal) {
    int master = posix_openpt(O_RDWR | O_NOCTTY), number = -1, lock = 0;
    char name[32], data[32] = "";
    SHOW(ioctl(master, TIOCSPTLCK, &lock)), SHOW(ioctl(master, TIOCGPTN, &number)), SHOW(number >= 0), snprintf(name, sizeof name, "/dev/pts/%d", number);
    int slave = open(name, O_RDWR | O_NOCTTY);
    struct termios modes, raw;
    struct winsize size = {24, 80, 1, 2}, told;
    SHOW(isatty(master)), SHOW(isatty(slave)), SHOW(tcgetattr(slave, &modes)), printf("%x %x %x %x %d %d\n", modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag, modes.c_cc[VINTR], modes.c_cc[VEOF]), SHOW(ioctl(master, TIOCSWINSZ, &size)), SHOW(ioctl(slave, TIOCGWINSZ, &told)), printf("%d %d %d %d\n", told.ws_row, told.ws_col, told.ws_xpixel, told.ws_ypixel);
    SHOW(write(master, "line\n", 5)), SHOW(read(slave, data, 32)), SHOW(data[4]), memset(data, 0, 32), SHOW(read_settled(master, data, 32)), printf("%d %d\n", data[4], data[5]), SHOW(write(slave, "out\n", 4)), SHOW(read_settled(master, data, 32)), SHOW(ioctl(slave, FIONREAD, &number)), SHOW(number), raw = modes, cfmakeraw(&raw), raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 0, SHOW(tcsetattr(slave, TCSANOW, &raw)), SHOW(write(master, "ab", 2)), SHOW(read(slave, data, 32)), SHOW(read(slave, data, 32)), SHOW(tcgetattr(slave, &modes)), SHOW(modes.c_lflag & (ICANON | ECHO | ISIG)), SHOW(cfsetspeed(&modes, B38400)), SHOW(tcsetattr(slave, TCSADRAIN, &modes)), SHOW(cfgetospeed(&modes) == B38400), SHOW(tcflush(slave, TCIOFLUSH)), SHOW(tcdrain(slave)), SHOW(tcsendbreak(slave, 0)), SHOW(tcflow(slave, TCOON)), SHOW(tcflush(slave, 99)), SHOW(tcgetpgrp(slave)), SHOW(tcsetpgrp(slave, getpgrp())), SHOW(ioctl(slave, TIOCGSID, &number)), SHOW(tcgetattr(open("f", O_CREAT | O_RDWR, 0600), &modes)), SHOW(ioctl(slave, TCGETS, 8)), SHOW(ioctl(slave, TIOCEXCL)), TELL(close(open(name, O_RDWR | O_NOCTTY))), SHOW(ioctl(slave, TIOCNXCL));
    if (fork() == 0) {
        SHOW(setsid() == getpid()), SHOW(ioctl(slave, TIOCSCTTY, 0)), SHOW(tcgetpgrp(slave) == getpid()), SHOW(ioctl(slave, TIOCGSID, &number)), SHOW(number == getpid()), modes.c_lflag |= ISIG, raw.c_lflag |= ISIG | ICANON, tcsetattr(slave, TCSANOW, &raw), SHOW(open("/dev/tty", O_RDWR) > 0), (void)!write(master, "\003", 1), pause(), _exit(1);
    }
    int status;
    wait(&status), SHOW(WIFSIGNALED(status) ? WTERMSIG(status) : -1), close(slave), SHOW(read_settled(master, data, 32)), SHOW(close(master));
}
CASE(ranges_of_descriptors) {
    for (int number = 20; number < 30; number++)
        dup2(1, number);
    SHOW(close_range(22, 24, 0)), SHOW(fcntl(21, F_GETFD)), SHOW(fcntl(23, F_GETFD)), SHOW(close_range(25, 27, CLOSE_RANGE_CLOEXEC)), SHOW(fcntl(26, F_GETFD)), SHOW(fcntl(28, F_GETFD)), SHOW(close_range(28, ~0u, CLOSE_RANGE_UNSHARE)), SHOW(fcntl(28, F_GETFD)), SHOW(fcntl(29, F_GETFD)), SHOW(close_range(50, 60, 0)), SHOW(close_range(5, 4, 0)), SHOW(close_range(-1, -1, 0)), SHOW(close_range(3, 4, 1)), SHOW(fcntl(20, F_DUPFD, 0)), SHOW(dup3(1, 1, 0)), SHOW(dup3(1, 30, O_CLOEXEC)), SHOW(fcntl(30, F_GETFD)), SHOW(dup3(1, 30, O_NONBLOCK)), SHOW(dup2(30, 31)), SHOW(fcntl(31, F_GETFD)), SHOW(dup(-1));
}
CASE(handles_of_processes) {
    siginfo_t info;
    int ends[2];
    (void)!pipe(ends);
    pid_t child = fork();
    if (child == 0)
        _exit((int)read(ends[0], &info, 1) + 40);
    int handle = syscall(SYS_pidfd_open, child, 0);
    struct pollfd poller = {handle, POLLIN, 0};
    SHOW(handle), SHOW(fcntl(handle, F_GETFD)), SHOW(poll(&poller, 1, 0)), SHOW(syscall(SYS_pidfd_send_signal, handle, 0, NULL, 0)), SHOW(syscall(SYS_pidfd_send_signal, handle, 99, NULL, 0)), SHOW(syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 77)), SHOW(syscall(SYS_pidfd_send_signal, ends[0], SIGTERM, NULL, 0)), SHOW(read(handle, &info, 1)), SHOW(waitid((idtype_t)3, handle, &info, WEXITED | WNOHANG)), SHOW(write(ends[1], "x", 1)), SHOW(poll(&poller, 1, 5000)), printf("%x\n", poller.revents), SHOW(syscall(SYS_pidfd_send_signal, handle, 0, NULL, 0)), SHOW(waitid((idtype_t)3, handle, &info, WEXITED)), SHOW(info.si_status), SHOW(info.si_signo), SHOW(syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 0)), SHOW(waitid((idtype_t)3, handle, &info, WEXITED)), SHOW(waitid((idtype_t)3, 99, &info, WEXITED)), SHOW(syscall(SYS_pidfd_open, getpid(), O_NONBLOCK) > 0), SHOW(syscall(SYS_pidfd_open, -1, 0)), SHOW(syscall(SYS_pidfd_open, 0, 0));
}
