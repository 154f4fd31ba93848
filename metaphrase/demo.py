"""`python -m metaphrase.demo` (`make demo`): Debian's own programs run translated, beside native."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

SHELL_SCRIPT = """\
greet() { echo "hello from $1, built for $(uname -m)"; }
greet busybox
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); echo "$i squared is $((i * i))"; done | sort -r | head -3
printf "pear 3\\napple 12\\nfig 7\\n" | awk "{ sum += \\$2 } END { print NR \\" kinds of fruit, \\" sum \\" pieces\\" }"
"""
PERL_SCRIPT = """\
my %count; $count{length $_}++ for map { split } "metaphrase is translation word for word" =~ /(.+)/;
print join(", ", map { "$count{$_} of length $_" } sort { $a <=> $b } keys %count), "\\n";
"""
PYTHON_SCRIPT = """\
import hashlib, json, re
text = "word for word"
print(json.dumps({"power": 2**100, "md5": hashlib.md5(text.encode()).hexdigest(), "words": re.findall(r"\\w+", text)}))
"""


@dataclass(frozen=True)
class Sample:
    """A Debian program to show, as a command with its arguments."""

    command: tuple[str, ...]

    def shown(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.command)


SAMPLES = [
    Sample(("/bin/busybox", "sh", "-c", SHELL_SCRIPT)),
    Sample(("/bin/ls", "-l", "/usr/share/base-files")),
    Sample(("/usr/bin/sha256sum", "/bin/bash", "/etc/debian_version")),
    Sample(("/usr/bin/perl", "-e", PERL_SCRIPT)),
    Sample(("/usr/bin/python3", "-c", PYTHON_SCRIPT)),
]


def timed(command: list[str]) -> tuple[subprocess.CompletedProcess[bytes], float]:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return done, time.perf_counter() - start


def main() -> int:
    """Show each sample's output, compare it with native, and print the statistics of the last; 1 if any differs."""
    console = Console(highlight=False, soft_wrap=True)
    script = Path(sys.executable).with_name("metaphrase")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "metaphrase"]
    differing = 0
    for sample in SAMPLES:
        if not shutil.which(sample.command[0]):
            console.print(f"{sample.command[0]} is not installed: `make packages` installs it", style="yellow")
            differing += 1
            continue
        console.print(Text(f"$ metaphrase run {sample.shown()}", style="bold cyan"))
        native, native_seconds = timed(list(sample.command))
        translated, seconds = timed([*start, "run", "--", *sample.command])
        console.out(translated.stdout.decode(errors="replace"), end="")
        if translated.stderr:
            console.print(Text(translated.stderr.decode(errors="replace").rstrip(), style="red"))
        same = (native.returncode, native.stdout) == (translated.returncode, translated.stdout)
        differing += not same
        verdict = "same output and status as native" if same else f"DIFFERS from native: {native.stdout.decode()!r}"
        text = f"  {verdict}; native {native_seconds * 1e3:.0f} ms, translated {seconds * 1e3:.0f} ms\n"
        console.print(Text(text, style="green" if same else "bold red"))
    last = list(SAMPLES[-1].command)
    console.print(Text(f"$ metaphrase run --stats {SAMPLES[-1].shown()}", style="bold cyan"))
    sys.stdout.flush()
    subprocess.run([*start, "run", "--stats", "--", *last], stdin=subprocess.DEVNULL)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
