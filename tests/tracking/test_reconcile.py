"""Mirrors are brought up to date in order, without ever making anyone wait, however long the other side is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from raykd.tracking import reconcile
from raykd.tracking.reconcile import Reconciler


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(reconcile, "LONGEST_PAUSE_S", 0.05)


class Server:
    """What is written to, while it is there; `gate` holds a write up."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.asked: list[str] = []
        self.away = False
        self.gate = threading.Event()
        self.gate.set()

    def sync(self, name: str) -> None:
        self.asked.append(name)
        self.gate.wait(10)
        if self.away:
            raise OSError("connection refused\nand more of it")
        self.got.append(name)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def mirror(server: Server, said: list[str]) -> Iterator[Reconciler]:
    made = Reconciler("the server", server.sync, said.append)
    yield made
    server.gate.set()
    made.close(1)
    made._thread.join(5)
    assert not made._thread.is_alive()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_in_the_order_of_the_first_touch_and_once_each(server: Server, mirror: Reconciler, said: list[str]) -> None:
    server.gate.clear()
    for name in ("a", "b", "c", "b", "a", "b"):
        mirror.touch(name)
    until(lambda: server.asked == ["a"])
    mirror.touch("a")  # it has changed since it was looked at
    server.gate.set()
    assert mirror.wait(10)
    assert server.got in (["a", "b", "c", "a"], ["a", "a", "b", "c"])
    assert said == []


def test_touching_never_waits(server: Server, mirror: Reconciler) -> None:
    server.gate.clear()
    began = time.monotonic()
    for number in range(10_000):
        mirror.touch(f"t{number % 100}")
    assert time.monotonic() - began < 2
    assert not mirror.wait(0.05)
    server.gate.set()
    assert mirror.wait(10)
    assert len(server.got) <= 200


def test_away_and_back_are_said_once(server: Server, mirror: Reconciler, said: list[str]) -> None:
    server.away = True
    for name in ("a", "b", "c"):
        mirror.touch(name)
    until(lambda: len(server.asked) > 5)
    assert set(server.asked) == {"a"}  # what came before is written before
    assert said == ["the server is away (connection refused); the sweep goes on and writes it later"]
    mirror.touch("a")
    mirror.touch("d")
    server.away = False
    assert mirror.wait(10)
    assert server.got == ["a", "b", "c", "d"]
    assert len(said) == 2
    assert said[1].startswith("the server is back after ")
    server.away = True
    mirror.touch("e")
    until(lambda: len(said) == 3)  # a second time is news again


def test_pauses_grow_to_a_limit(server: Server, mirror: Reconciler) -> None:
    server.away = True
    mirror.touch("a")
    time.sleep(0.6)
    assert 8 <= len(server.asked) <= 18  # about 0.01 + 0.02 + 0.04 + 0.05 ...


def test_close_writes_everything(server: Server, mirror: Reconciler) -> None:
    for number in range(50):
        mirror.touch(str(number))
    assert mirror.close(10) == 0
    assert len(server.got) == 50


def test_close_counts_what_is_left(server: Server, mirror: Reconciler) -> None:
    server.away = True
    for name in ("a", "b", "c"):
        mirror.touch(name)
    assert mirror.close(0.1) == 3
    asked = len(server.asked)
    mirror._thread.join(5)
    time.sleep(0.1)
    assert len(server.asked) <= asked + 1  # nobody tries for ever


def test_close_counts_what_hangs(server: Server, mirror: Reconciler) -> None:
    """A server that neither answers nor refuses has not taken it."""
    server.gate.clear()
    mirror.touch("a")
    until(lambda: server.asked == ["a"])
    assert mirror.close(0.05) == 1


def test_an_error_without_words_has_a_name(server: Server, said: list[str]) -> None:
    def fail(_: str) -> None:
        raise TimeoutError

    mirror = Reconciler("it", fail, said.append)
    mirror.touch("a")
    until(lambda: said)
    assert said[0].startswith("it is away (TimeoutError)")
    mirror.close(0)


def test_what_can_never_be_written_stops_nothing_else() -> None:
    written: list[str] = []

    def sync(name: str) -> None:
        if name == "bad":
            raise ValueError("a parameter that is refused")
        written.append(name)

    mirror = Reconciler("the server", sync, lambda line: None)
    for name in ("bad", "a", "b"):
        mirror.touch(name)
    until(lambda: written == ["a", "b"])
    assert mirror.close(0.1) == 1


class Refused(Exception):
    """What comes again however often it is tried."""


def test_a_refusal_is_said_once_and_not_waited_for(said: list[str]) -> None:
    """Two names are refused, a third is not: the two are let go, and nobody waits for them at the end."""
    got: list[str] = []

    def sync(name: str) -> None:
        got.append(name)
        if name != "good":
            raise Refused("deleted\nand more of it")

    mirror = Reconciler("the server", sync, said.append, lambda error: isinstance(error, Refused))
    for name in ("bad", "worse", "good"):
        mirror.touch(name)
    began = time.monotonic()
    assert mirror.close(60) == 2
    assert time.monotonic() - began < 10
    assert got == ["bad"] * reconcile.REFUSALS + ["worse", "good"]
    assert said == ["the server refuses for good (deleted); the sweep goes on, not all of it written there"]
    assert mirror.refusal == "deleted"


def test_what_was_refused_may_be_taken_later(said: list[str]) -> None:
    refuse = [True]

    def sync(name: str) -> None:
        if refuse:
            raise Refused("deleted")

    mirror = Reconciler("the server", sync, said.append, lambda error: True)
    mirror.touch("t0000")
    until(lambda: said)
    refuse.clear()
    mirror.touch("t0000")
    assert mirror.close(10) == 0


def test_who_waits_is_told(mirror: Reconciler, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOMENT_S", 0.05)
    server.away = True
    for name in ("a", "b"):
        mirror.touch(name)
    told: list[int] = []
    assert mirror.close(0.3, told.append) == 2
    assert told == [2]


def test_nobody_is_told_of_a_moment(mirror: Reconciler) -> None:
    told: list[int] = []
    mirror.touch("a")
    assert mirror.close(10, told.append) == 0
    assert told == []


def test_a_listener_that_has_gone_stops_nothing(server: Server) -> None:
    def say(line: str) -> None:
        raise BrokenPipeError

    mirror = Reconciler("the server", server.sync, say)
    server.away = True
    mirror.touch("a")
    until(lambda: len(server.asked) > 1)
    server.away = False
    assert mirror.close(10) == 0
