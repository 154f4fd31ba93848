"""`python -m metaphrase`."""

from __future__ import annotations

from metaphrase.cli import main

main()
