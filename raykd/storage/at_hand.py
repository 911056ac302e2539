"""Inputs that many processes of a node read: fetched once a node, kept for the next time."""

from __future__ import annotations

from pathlib import Path

from raykd.storage.copies import copied, copy_tree, on_network
from raykd.storage.folders import fetch
from raykd.storage.urls import check_url, is_url, split


def at_hand(place: str) -> Path:
    """A folder of this machine with what `place` holds: the path itself, or this node's copy of a URL.

    What is at a URL is taken to stay as it is, so a copy is never fetched again. Raises UserError where there is
    nothing.
    """
    if not is_url(place):
        return Path(place)
    check_url(place)
    scheme, bucket, path = split(place)
    return copied(f"{scheme}://{bucket}/{path}", lambda copy: fetch(place, copy))


def nearby(place: str) -> Path:
    """As `at_hand`, and a folder that lies on a network's file system is copied as well: for what is read at random
    and often. Raises OSError where there is nothing, or no space for it."""
    if is_url(place) or not on_network(Path(place)):
        return at_hand(place)
    return copied(str(Path(place).resolve()), lambda copy: copy_tree(Path(place), copy))
