"""What the command line does before anything large is imported: paths, text encoding, threads, signals."""

from __future__ import annotations

import io
import os
import sys

from raykd.cpus import OMP, sleep_while_waiting, thread_count
from raykd.import_path import leave_out_working_folder
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


def _as_utf8() -> None:
    """Write UTF-8. How names of files are read is settled when Python starts: in the C locale it must start anew."""
    if sys.getfilesystemencoding() == "ascii" and sys.flags.utf8_mode == 0 and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may hold bytes that are no text
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.environ["PYTHONIOENCODING"] = "utf-8"  # of processes that this one starts
