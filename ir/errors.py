"""The base of every error that Metaphrase raises."""

from __future__ import annotations


class MetaphraseError(Exception):
    """Something went wrong that the caller can act on; the text says what, where, and what to do.

    A guest's own faults are guest events and never raise this.
    """
