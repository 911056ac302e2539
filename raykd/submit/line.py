"""The command line to send: read by raykd's own parser, completed, its local paths found."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from raykd.errors import UserError, unknown
from raykd.workspace import NAME

COMMANDS = ("tune", "teach", "distill", "pretrain", "evaluate")
# Parameters that may name a file or folder to read; what else they may hold does not exist here as one.
READ = (
    "data", "dev_file", "teacher", "student", "space", "corpus", "unlabelled", "augment_with", "augment_vectors",
    "texts",
)  # fmt: skip
PROGRAM = "raykd"


@dataclass(frozen=True)
class Line:
    """A command line that raykd's parser accepts. `paths` are the files and folders of this machine that it names."""

    command: str
    arguments: tuple[str, ...]
    values: Mapping[str, Any]
    paths: tuple[str, ...]

    @property
    def task(self) -> str | None:
        """The task it is for, where it names one."""
        return self.values.get("task")

    def shell(self, sweep: str, folder: str | None = None) -> str:
        """What the cluster's shell runs, in `folder` below the job's own one. A tune line names its sweep, goes on with
        it, and joins the cluster."""
        words = [PROGRAM, self.command, *self.arguments]
        if self.command == "tune":
            words += [] if given(self.arguments, "--name") else ["--name", sweep]
            words += [] if given(self.arguments, "--continue", "--resume") else ["--continue"]
            words += [] if given(self.arguments, "--address") else ["--address", "auto"]
        line = shlex.join(words)
        return line if folder is None else f"cd {shlex.quote(folder)} && exec {line}"

    def moved(self, places: Mapping[str, str]) -> Line:
        """The same line with paths as the job will see them; `places` maps those that change."""
        return Line(self.command, tuple(_moved(word, places) for word in self.arguments), self.values, self.paths)


def read_line(words: list[str], parsers: Mapping[str, Any]) -> Line:
    """Check `words` by the parsers of raykd's commands, without running anything.

    Raises UserError; an unknown flag or a bad value raises the parser's own usage error (exit code 2).
    """
    if not words:
        raise UserError("nothing to send: write the command after --, e.g. raykd submit -- tune --task rte")
    command, *arguments = words[1:] if words[0] == PROGRAM and len(words) > 1 else words
    if command not in COMMANDS:
        raise UserError(
            f"'{command}' needs no cluster: run raykd {command} here (sent are: {', '.join(COMMANDS)})"
            if command in parsers
            else unknown("command", command, COMMANDS)
        )
    values = parsers[command].make_context(f"{PROGRAM} {command}", list(arguments)).params
    problems = [
        f"{name.replace('_', '-')} holds a password, which everyone who may read the cluster's jobs could read: "
        "set the password's own variable and send it with --env"
        for name, value in values.items()
        if isinstance(value, str) and "://" in value and urlsplit(value).password
    ]
    out = values.get("out")
    if out is not None and not Path(out).is_absolute() and "://" not in str(out):
        problems.append(f"out '{out}': a job's own folder is thrown away; give a full path that the cluster keeps")
    if command == "tune" and values.get("resume") and not values.get("name"):
        problems.append("--resume on a cluster needs the sweep's --name")
    if problems:
        raise UserError(*problems)
    return Line(command, tuple(arguments), values, tuple(_paths(values)))


def given(arguments: tuple[str, ...], *flags: str) -> bool:
    """Whether any of `flags` is in the line, as ``--flag value`` or ``--flag=value``."""
    return any(word == flag or word.startswith(f"{flag}=") for word in arguments for flag in flags)


def sweep_name(line: Line, asked: str | None) -> str:
    """The sweep's (or job's) name: the one given, else one that the same line always gets.

    A line sent again because its answer was lost must find its sweep, not start another.
    """
    inside = line.values.get("name") if line.command == "tune" else None
    if inside and asked and inside != asked:
        raise UserError(f"two names: --name {asked} before the --, --name {inside} after it")
    if name := asked or inside:
        if not NAME.fullmatch(name) or ".." in name:
            raise UserError(f"name '{name}': letters, digits, '.', '_' and '-' only, at most 80, no '..'")
        return str(name)
    about = line.values.get("method") or line.values.get("space") or "kd"
    parts = [line.task or "texts", Path(about).stem] if line.command == "tune" else [line.command, line.task or "texts"]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", "-".join(parts)).strip("-_")[:60] or line.command
    return f"{stem}-{_digest(line)}"


def _paths(values: Mapping[str, Any]) -> list[str]:
    """The values that are files or folders of this machine."""
    found = []
    read = {name: values.get(name) for name in READ}
    each = [(name, one) for name, of in read.items() for one in (of if isinstance(of, (list, tuple)) else [of])]
    for name, value in each:
        if value is None or "://" in str(value) or (name == "data" and value in ("hub", "sample")):
            continue
        # A folder that happens to be called as a shipped space is not meant by its name.
        there = Path(value).is_file() if name == "space" else Path(value).exists()
        if there:
            found.append(str(value))
    return found


def _moved(word: str, places: Mapping[str, str]) -> str:
    flag, equals, value = word.partition("=")
    if flag.startswith("--") and equals and value in places:
        return f"{flag}={places[value]}"
    return places.get(word, word)


def _digest(line: Line) -> str:
    """Eight letters for the line and what its files hold; folders count by their files' names and sizes."""
    sum_ = hashlib.sha256(shlex.join([line.command, *line.arguments]).encode())
    for name in sorted(set(line.paths)):
        path = Path(name)
        if path.is_file():
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    sum_.update(piece)
        else:
            inside = sorted((str(f.relative_to(path)), f.stat().st_size) for f in path.rglob("*") if f.is_file())
            sum_.update(repr(inside).encode())
    return sum_.hexdigest()[:8]
