"""Where commands write: nothing of a person's is ever removed or overwritten.

Every command that writes where somebody may have put something asks here first, before it trains anything, and again
as it puts its output in place. It may replace what raykd made and nobody has changed since (see raykd.manifest).
Everything else stays as it is: the command is refused, or, where it has trained already, its output lies beside under
a fresh name.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError
from raykd.manifest import CARD, is_stamped, prove, remove_listed
from raykd.output_paths import Inputs, check_path
from raykd.paths import expand_home, relation

if TYPE_CHECKING:
    from raykd.workspace import Workspace

STAGED = re.compile(r"\.raykd-[0-9a-f]{32}\.new")  # what is being written; a killed process leaves it behind
RESULTS = "results.json"  # notes the SHA-256 of files that raykd wrote beside it
DAY_S = 24 * 3600.0
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.EBUSY)  # EBUSY: a mount point
WHAT_NOW = "name a new or empty folder, or move that one away"


@dataclass(frozen=True)
class OutputFolder:
    """A folder that an output may take.

    Attributes:
        path: Where it will lie.
        replaces: The seal of raykd's own output that lies there, which may be replaced; None where nothing may be.
        card: The name of the file that holds the seal.
    """

    path: Path
    replaces: str | None = None
    card: str = CARD


@dataclass(frozen=True)
class OutputFile:
    """A file that an output may take.

    Attributes:
        path: Where it will lie.
        replaces: SHA-256 of what raykd wrote there, which may be replaced; None where nothing may be.
    """

    path: Path
    replaces: str | None = None


def check_folder(
    out: str | Path,
    inputs: Inputs,
    workspace: Workspace | None,
    *,
    command: str | None,
    card: str = CARD,
    flag: str = "out",
) -> OutputFolder:
    """Check a folder that an output is to be saved in.

    Args:
        out: The folder as it was typed.
        inputs: What the output is made from, by what it is; see `check_path`.
        workspace: Whose own folders no output may take.
        command: What this command of raykd made may be replaced; None: nothing may be.
        card: The name of the file that proves that raykd made a folder.
        flag: By which it was given.

    Returns:
        The folder, for `put_folder`.

    Raises:
        UserError: The path may not be that of an output, or it holds anything that raykd did not make or that was
            changed since.
    """
    path = check_path(out, inputs, workspace, flag)
    return folder_at(path, f"{flag} '{out}'", command=command, card=card)


def folder_at(path: Path, what: str, *, command: str | None, card: str = CARD) -> OutputFolder:
    """The folder `path`, whatever lies around it; `what` names it in messages. See `check_folder`."""
    if not os.path.lexists(path):
        return OutputFolder(path, card=card)
    if path.is_symlink() or not path.is_dir():
        raise UserError(f"{what} is a file: name a folder")
    if os.path.ismount(path):
        raise UserError(f"{what} is a mount point, which cannot be replaced: name a folder in it")
    if not any(path.iterdir()):
        return OutputFolder(path, card=card)
    proof = prove(path, card)
    if proof.seal is None:
        raise UserError(
            f"{what} is there already and is not raykd's alone: {proof.why}. Nothing is removed: {WHAT_NOW}"
        )
    if command is None or proof.command != command:
        by = f" by '{proof.command}'" if proof.command else ""
        raise UserError(f"{what} holds what raykd made{by}, and keeps it: {WHAT_NOW}")
    return OutputFolder(path, proof.seal, card)


def default_folder(
    path: Path,
    suits: Callable[[Mapping[str, Any]], bool] = lambda about: True,
    inputs: Inputs | None = None,
    *,
    card: str = CARD,
) -> OutputFolder:
    """The first of `path`, `path`-2, `path`-3, ... that may be taken.

    Args:
        path: Chosen by raykd, not by a person.
        suits: Told what the file `card` of raykd's own unchanged output says: whether it may be replaced.
        inputs: What the output is made from; none of it is replaced.
        card: The name of that file.
    """
    read = [expand_home(value) for value in (inputs or {}).values() if value]
    for name in _names(path):
        if not os.path.lexists(name):
            return OutputFolder(name, card=card)
        if name.is_dir() and not name.is_symlink():
            if name == path and not any(name.iterdir()):
                return OutputFolder(name, card=card)
            if any(relation(name, source) in ("is", "holds") for source in read if os.path.lexists(source)):
                continue
            proof = prove(name, card)
            if proof.seal is not None and suits(proof.about or {}):
                return OutputFolder(name, proof.seal, card)
    raise AssertionError("numbers do not end")


def check_file(out: str | Path, inputs: Inputs, workspace: Workspace | None) -> OutputFile:
    """Check a file that a page is to be written to; see `check_folder`."""
    path = check_path(out, inputs, workspace)
    if path.is_dir():
        raise UserError(f"out '{out}' is a folder: name a file for the page")
    if os.path.lexists(path) and _page(path) is None:
        raise UserError(f"out '{out}' is there already and is no page that raykd wrote and nobody edited: name another")
    return OutputFile(path, _page(path))


def default_file(path: Path) -> OutputFile:
    """The first of ``path``, and of the same name with -2, -3, ..., that is free or a page of raykd's own."""
    for name in _names(path, path.suffix):
        if not os.path.lexists(name) or _page(name) is not None:
            return OutputFile(name, _page(name))
    raise AssertionError("numbers do not end")


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, under a name that nobody has: what is written there appears whole, by `put_folder`,
    or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    folder = _hidden(path, "new")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_folder(new: Path, target: OutputFolder) -> Path:
    """Rename the folder `new` to where `target` says.

    Args:
        new: Complete, on the file system of the target.
        target: As it was checked. What has come to lie there since then stays, and so does what was changed.

    Returns:
        Where it lies: at the target, or beside it under the first free name with a number.

    Raises:
        OSError: It cannot be renamed; then what was there is as it was.
    """
    target.path.parent.mkdir(parents=True, exist_ok=True)
    former = _step_aside(target)
    try:
        path = _rename(new, target.path)
    except BaseException:
        if former is not None:
            _rename(former, target.path)
        raise
    if former is not None:
        with suppress(OSError):  # the output stands, which counts
            remove_listed(former, target.card)
    return path


def put_file(content: bytes, target: OutputFile) -> Path:
    """Write `content` to where `target` says, whole or not at all; see `put_folder`."""
    target.path.parent.mkdir(parents=True, exist_ok=True)
    new = _hidden(target.path, "new")
    try:
        new.write_bytes(content)
        if target.replaces is not None and _sha256(target.path) == target.replaces:
            os.replace(new, target.path)
            return target.path
        return next(name for name in _names(target.path, target.path.suffix) if _link(new, name))
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def put_result(folder: Path, name: str, content: bytes) -> Path:
    """Write the file `name` of a folder that raykd keeps for itself, such as a sweep's.

    A file of that name is replaced only as raykd wrote it: what it wrote is noted in the folder. Another one, be it
    that a person edited it, stays; then the new one lies beside it under the first free name with a number.
    """
    try:
        noted = dict(json.loads((folder / RESULTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        noted = {}
    path = next(
        path
        for path in _names(folder / name, Path(name).suffix)
        if not os.path.lexists(path) or (path.name in noted and _sha256(path) == noted[path.name])
    )
    path = put_file(content, OutputFile(path, noted.get(path.name)))
    noted[path.name] = hashlib.sha256(content).hexdigest()
    new = _hidden(folder / RESULTS, "new")
    new.write_text(json.dumps(noted, indent=1), encoding="utf-8")
    os.replace(new, folder / RESULTS)
    return path


def moved(target: Path, path: Path) -> str | None:
    """What a person should hear where an output lies at `path` and not at `target`; None where it lies there."""
    if path == target:
        return None
    return f"'{target}' has been taken or changed meanwhile, and stays as it is: saved in '{path}' instead"


def _step_aside(target: OutputFolder) -> Path | None:
    """What may be replaced, under a name that nobody has; None where there is nothing, or where it was changed."""
    if target.replaces is None or not target.path.is_dir():
        return None
    if target.path.is_symlink() or prove(target.path, target.card).seal != target.replaces:
        return None
    aside = _hidden(target.path, "old")
    os.rename(target.path, aside)
    if prove(aside, target.card).seal == target.replaces:  # nobody has written to it meanwhile
        return aside
    _rename(aside, target.path)
    return None


def _rename(folder: Path, path: Path) -> Path:
    """Rename a folder to the first of `path`, `path`-2, ... that nobody has; `path` itself may be an empty folder."""
    for name in _names(path):
        if name != path and os.path.lexists(name):
            continue
        try:
            os.rename(folder, name)  # the system renames no folder over a file, a link, or a folder that is not empty
        except OSError as error:
            if error.errno not in TAKEN:
                raise
            continue
        return name
    raise AssertionError("numbers do not end")


def _link(file: Path, name: Path) -> bool:
    """Give `file` a second name, unless somebody has that name."""
    if os.path.lexists(name):
        return False
    try:
        os.link(file, name)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        os.rename(file, name)
    return True


def _names(path: Path, suffix: str = "") -> Iterator[Path]:
    """`path`, and the same with -2, -3, ... before `suffix`."""
    stem = path.name.removesuffix(suffix)
    for number in itertools.count(1):
        yield path if number == 1 else path.with_name(f"{stem}-{number}{suffix}")


def _hidden(path: Path, ending: str) -> Path:
    return path.with_name(f".raykd-{uuid.uuid4().hex}.{ending}")


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed as they saved here have left, a day ago or longer."""
    with suppress(OSError):
        for path in folder.iterdir():
            if STAGED.fullmatch(path.name) and time.time() - path.lstat().st_mtime > DAY_S:
                shutil.rmtree(path, ignore_errors=True)


def _page(path: Path) -> str | None:
    """SHA-256 of a page of raykd's that nobody has edited; None for anything else."""
    content = _content(path)
    return hashlib.sha256(content).hexdigest() if content is not None and is_stamped(content) else None


def _sha256(path: Path) -> str | None:
    content = _content(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes | None:
    """Of a plain file; None for anything else."""
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
