"""The command line of this process, and the one that goes on with what it leaves."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_words: list[str] = []  # after the program's name; none where raykd is used as a library
ONCE = {"--extend": True, "--dry-run": False}  # flags that are not said again, and whether a value follows


def remember(words: Sequence[str]) -> None:
    """Keep the words that raykd was started with."""
    _words[:] = words


def this_line() -> str:
    """The line as a shell takes it; empty where there is none."""
    return shlex.join(["raykd", *_words]) if _words else ""


def resume_line(task: str, name: str) -> str:
    """The line that goes on with sweep `name` of `task`: the user's own, and what it needs beside."""
    if not _words or _words[0] != "tune":
        return shlex.join(["raykd", "tune", "--task", task, "--name", name, "--resume"])
    words: list[str] = []
    left = iter(_words)
    for word in left:
        flag = word.partition("=")[0]
        if flag not in ONCE:
            words.append(word)
        elif ONCE[flag] and "=" not in word:
            next(left, None)
    flags = {word.partition("=")[0] for word in words}
    words += [] if "--name" in flags else ["--name", name]
    words += [] if flags & {"--resume", "--continue"} else ["--resume"]
    return shlex.join(["raykd", *words])
