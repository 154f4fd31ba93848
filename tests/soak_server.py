"""`make soak-server MINUTES=15`: a server under load for so long, in memory that does not grow.

Debian's redis-server runs translated; its own load program, native, drives it in rounds, each of which begins with an
empty store. Fails if what its process holds is more in the last third than ever in the second.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.programs.runner import metaphrase_command
from tests.soak import growth
from tests.soak_processes import sample

_SLACK = {"RSS KiB": 4 << 10, "descriptors": 1, "threads": 0, "mappings": 16}
_LOAD = ("-q", "-n", "20000", "-r", "5000", "-d", "64", "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,mset")


def main() -> int:
    """The exit status: 1 if something grew or went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("minutes", type=float, nargs="?", default=15)
    end = time.monotonic() + 60 * parser.parse_args().minutes
    samples: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="metaphrase-soak-") as folder:
        place = os.path.join(folder, "redis.sock")
        server = ("/usr/bin/redis-server", "--port", "0", "--unixsocket", place, "--save", "", "--dir", folder)
        environment = os.environ | {"METAPHRASE_CACHE_DIR": os.path.join(folder, "cache")}
        running = subprocess.Popen(metaphrase_command("run", *server), env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(place)
            print("".join(f"{name:>13}" for name in _SLACK))
            while time.monotonic() < end:
                subprocess.run(["redis-benchmark", "-s", place, *_LOAD], check=True, stdout=subprocess.DEVNULL)
                subprocess.run(["redis-cli", "-s", place, "flushall"], check=True, stdout=subprocess.DEVNULL)
                samples.append(sample(running.pid, Path(folder)))
                print("".join(f"{samples[-1][name]:13,.0f}" for name in _SLACK), flush=True)
        finally:
            running.terminate()
            status = running.wait(timeout=60)
    grown = [told for name, slack in _SLACK.items() if (told := growth(name, samples, slack))]
    print("\n".join(grown) or "nothing grew")
    print(f"{len(samples)} rounds, status {status}")
    return int(bool(grown or status))


def wait_for(place: str) -> None:
    """Until somebody listens there, a minute at most."""
    for _ in range(600):
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(place) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens at {place}")


if __name__ == "__main__":
    sys.exit(main())
