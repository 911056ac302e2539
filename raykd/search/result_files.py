"""What a sweep leaves for a person: its champion, its page, a picture and a table, none of them over a person's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from raykd import storage
from raykd.manifest import is_stamped
from raykd.outputs import default_folder, put_folder, put_result, staged
from raykd.report.page import REPORT


def put_champion(source: str, folder: Path) -> Path:
    """Copy the student in `source`, a folder or a URL, to `folder`.

    A champion that raykd put there before is replaced, as long as nobody has changed it or put anything beside it.

    Returns:
        Where it lies: in `folder`, or beside it under the first free name with a number.
    """
    target = default_folder(folder)
    with staged(target.path) as new:
        copy = new / "copy"
        if storage.is_url(source):
            storage.fetch(source, copy)
        else:
            shutil.copytree(source, copy)
        return put_folder(copy, target)


def put_results(folder: Path, draw: Callable[[Path], list[Path]]) -> list[Path]:
    """Let `draw` write files into a scratch folder, and put them into `folder`; returns where they lie (see
    `put_result`)."""
    with tempfile.TemporaryDirectory() as scratch:
        return [put_result(folder, file.name, file.read_bytes()) for file in draw(Path(scratch))]


def send_page(page: Path, place: str) -> str:
    """Copy a page into the folder or URL `place` as its report, unless somebody has edited the one that is there: then
    under the first free name with a number. Returns where it lies."""
    number = 1
    while True:
        stem, dot, ending = REPORT.partition(".")
        url = storage.join(place, REPORT if number == 1 else f"{stem}-{number}{dot}{ending}")
        if not storage.exists(url) or is_stamped(storage.read_text(url).encode()):
            storage.write_text(url, page.read_text(encoding="utf-8"))
            return url
        number += 1
