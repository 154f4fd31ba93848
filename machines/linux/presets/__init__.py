"""Policies by name: one file each, in the form that users write theirs in."""
