"""`make soak-processes COUNT=10000`: processes and threads that come and go, so many times, of which nothing stays.

`metaphrase run` runs tests/metaphrase/guests/starts.c. Whenever that says how far it is, what its process holds is
noted. Fails if any of that is more in the last third than ever in the second, or if a process ends otherwise than it
should.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from metaphrase.translator.engine.cache import NEW
from tests.metaphrase.programs import starts_program
from tests.programs.runner import metaphrase_command
from tests.soak import growth

_SLACK = {"RSS KiB": 4 << 10, "descriptors": 0, "threads": 1, "mappings": 16, "children": 0, "cache files": 20}
"""What is looked at, and by how much the last third may exceed the second: a thread that was joined may still be
about to end, and the cache grows with what has become hot."""


def main() -> int:
    """The exit status: 1 if something grew or went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000, help="of rounds, three processes each")
    count = parser.parse_args().count
    samples: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="metaphrase-soak-") as folder:
        command = metaphrase_command("run", starts_program(), str(count))
        environment = os.environ | {"METAPHRASE_CACHE_DIR": folder}
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as running:  # fmt: skip
            assert running.stdin is not None and running.stdout is not None
            print("".join(f"{name:>13}" for name in ("rounds", *_SLACK)))
            for line in running.stdout:
                samples.append(sample(running.pid, Path(folder)))
                figures = "".join(f"{value:13,.0f}" for value in samples[-1].values())
                print(f"{line.split()[0]:>13}{figures}", flush=True)
                running.stdin.write("\n")
                running.stdin.flush()
        left = [path for path in Path(folder).rglob("*") if path.name.startswith(NEW)]
    grown = [told for name, slack in _SLACK.items() if (told := growth(name, samples, slack))]
    print("\n".join(grown) or "nothing grew")
    if running.returncode or left:
        print(f"status {running.returncode}; left in the cache: {left}")
    return int(bool(grown or running.returncode or left))


def sample(process: int, cache: Path) -> dict[str, float]:
    """What a process holds now."""
    about = Path(f"/proc/{process}")
    children = about / "task" / str(process) / "children"
    figures = (
        int((about / "statm").read_text().split()[1]) * 4,
        len(os.listdir(about / "fd")), len(os.listdir(about / "task")), len((about / "maps").read_text().splitlines()),
        len(children.read_text().split()), sum(len(names) for _, _, names in os.walk(cache)),
    )  # fmt: skip
    return dict(zip(_SLACK, figures, strict=True))


if __name__ == "__main__":
    sys.exit(main())
