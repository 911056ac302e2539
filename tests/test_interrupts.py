"""Signals that ask a process to end: as a request where work can save itself, as an exception elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from raykd.interrupts import ENDING, Interrupted, Request, handlers_kept, heed, request

CODE = """
import signal, sys, time
from raykd.endings import end_by
from raykd.interrupts import heed
heed()
try:
    print("ready", signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, flush=True)
    time.sleep(60)
except KeyboardInterrupt as error:
    end_by(error, "teach")
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_codes_of_the_shell() -> None:
    assert [Interrupted(number).code for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == [130, 143, 129]


def _send_twice(number: int, asked: Request) -> None:
    assert not asked()
    os.kill(os.getpid(), number)
    assert asked()
    assert asked.number == number
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_is_a_request_and_the_second_ends(number: int) -> None:
    heed()
    with pytest.raises(Interrupted) as ended, request() as asked:
        _send_twice(number, asked)
    assert ended.value.number == number


def test_after_the_block_it_is_as_before() -> None:
    heed()
    before = {number: signal.getsignal(number) for number in ENDING}
    with request() as asked:
        pass
    assert not asked()
    assert {number: signal.getsignal(number) for number in ENDING} == before


def test_others_may_bring_handlers() -> None:
    """Those of raykd stand after Ray's start; where raykd is a library Ray's stay."""
    heed()
    ours = signal.getsignal(signal.SIGTERM)
    with handlers_kept():
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is ours
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with handlers_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_another_thread_hears_nothing() -> None:
    heard: list[Request] = []

    def work() -> None:
        with request() as asked, handlers_kept():
            heard.append(asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [asked() for asked in heard] == [False]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_process(number: int, code: int) -> None:
    """Its exit code and last line; a hang-up that nohup has switched off stays so."""

    def as_nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=as_nohup
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready True\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (code, "interrupted: nothing was trained yet\n")
