"""Threads in Python: locks, queues, events, pools, and processes started from threads; always the same output."""

import concurrent.futures
import os
import queue
import signal
import subprocess
import threading
import time

# --- a lock, a condition, a barrier
total = 0
lock = threading.Lock()
barrier = threading.Barrier(4)


def count() -> None:
    global total
    for _ in range(200):
        with lock:
            total += 1
    barrier.wait()


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("counted", total)

# --- a pipeline of queues
first, second = queue.Queue(maxsize=3), queue.Queue(maxsize=3)


def square() -> None:
    while (number := first.get()) is not None:
        second.put(number * number)
    second.put(None)


worker = threading.Thread(target=square)
worker.start()
feeder = threading.Thread(target=lambda: [first.put(n) for n in [*range(100), None]])
feeder.start()
print("squares", sum(iter(second.get, None)))
worker.join()
feeder.join()

# --- storage of their own, and what waiting with a timeout gives
local = threading.local()
seen = {}


def remember(number: int) -> None:
    local.value = number
    time.sleep(0.001)
    seen[number] = local.value


threads = [threading.Thread(target=remember, args=(n,)) for n in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(timeout=30)
print("own", seen == {n: n for n in range(20)}, hasattr(local, "value"))
print("in time", threading.Event().wait(0.01), lock.acquire(timeout=0.01))
lock.release()

# --- pools
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print("pool", sum(pool.map(lambda n: n * n, range(300))))
    failing = pool.submit(lambda: 1 // 0)
    print("raised", type(failing.exception()).__name__)
    slow = [pool.submit(time.sleep, n / 1000) for n in (3, 1, 2)]
    print("done", len(concurrent.futures.wait(slow).done))

# --- other processes
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    commands = [["/bin/sh", "-c", f"exit {n}"] for n in range(6)]
    print("ends", [process.returncode for process in pool.map(subprocess.run, commands)])
    print("words", sorted(pool.map(subprocess.check_output, [["/bin/echo", str(n)] for n in range(4)])))


def fork() -> None:
    child = os.fork()
    if not child:
        os._exit(threading.active_count() + 10)
    print("forked", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


forker = threading.Thread(target=fork)
forker.start()
forker.join()

# --- a signal for the process, while threads compute
got = threading.Event()
signal.signal(signal.SIGALRM, lambda number, frame: got.set())
stop = threading.Event()
busy = [threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)]) for _ in range(2)]
for thread in busy:
    thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.02)
print("alarm", got.wait(30))
stop.set()
for thread in busy:
    thread.join()
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("left", threading.active_count())
