"""What the command line does before anything large is imported: paths, text encoding, threads, signals.

Only the standard library is used here: what it would import is what it has to keep out.
"""

from __future__ import annotations

import io
import os
import sys

from raykd.cpus import OMP, sleep_while_waiting, thread_count
from raykd.interrupts import heed


def begin() -> None:
    """Make this process one of raykd's command line. Where Python takes names for ASCII alone it starts anew.

    Text is UTF-8 whatever the locale says; torch and what it is built on take as many threads as `thread_count`.
    """
    leave_out_working_folder()
    _as_utf8()
    os.environ[OMP] = str(thread_count())
    sleep_while_waiting()
    heed()


def leave_out_working_folder(*, module: bool = False) -> None:
    """Import nothing from the folder that raykd is started in, where a ``torch.py`` or ``datasets/`` may lie.

    An empty part of PYTHONPATH, as ``export PYTHONPATH=$PYTHONPATH:more`` leaves it, means that folder too, here and in
    every process that this one starts; a part that names it stays.

    Args:
        module: Python was started by ``-m``, which puts the folder first.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        return
    if module and sys.path and sys.path[0] in ("", folder):
        del sys.path[0]
        source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if source == folder and source not in sys.path:  # a checkout that is not installed
            sys.path.append(source)
    parts = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in parts and len(parts) > 1:
        named = [part for part in parts if part]
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
        if folder not in [os.path.abspath(part) for part in named]:
            sys.path[:] = [entry for entry in sys.path if entry not in ("", folder)]


def _as_utf8() -> None:
    """Write UTF-8. How names of files are read is settled when Python starts: in the C locale it must start anew."""
    if sys.getfilesystemencoding() == "ascii" and sys.flags.utf8_mode == 0 and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may hold bytes that are no text
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.environ["PYTHONIOENCODING"] = "utf-8"  # of processes that this one starts
