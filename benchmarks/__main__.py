"""`python -m metaphrase.benchmarks`, the same as `metaphrase bench`."""

from __future__ import annotations

from metaphrase.benchmarks.command import bench

if __name__ == "__main__":
    bench(prog_name="metaphrase bench")
