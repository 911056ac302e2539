"""What a fault is, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.place import STILL, Place
from tests.chaos.probe import HOLD
from tests.chaos.sweep import MOMENTS, Sweep
from tests.chaos.truth import Truth, apart, different, look, lost, twice

ALONE, GROUP = "alone", "group"
TRIALS = {ALONE: 3, GROUP: 1}  # a group takes long to start
EXTRA: Mapping[str, list[str]] = {
    ALONE: ["--finalists", "0", "--trials", str(TRIALS[ALONE])],
    GROUP: ["--finalists", "0", "--trials", str(TRIALS[GROUP]), "--workers-per-trial", "2", "--teacher", STILL],
}


class Server(Protocol):
    """What can go away and come back, with all it held."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Setting:
    """What a sweep is started with beside the common arguments, and what it stands on. reserved: says what of the
    cluster is still taken after its end; machines: the cluster."""

    home: str = ""
    extra: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    server: Server | None = None
    machines: object = None
    reserved: Callable[[], list[str]] = list


@dataclass(frozen=True)
class Fault:
    """hurt: given a sweep that is held at a moment and the held process, does the harm and lets the sweep go on; what
    it cannot do without a new driver it resumes. It need not wait for the end.

    what: of the probe; again: how often and why the trial hurt may be started again; fails: a part of the error with
    which that trial must end, if it must; same: whether all must come out as without the fault; needs:
    what the setting must have.
    """

    name: str
    hurt: Callable[[Sweep, int, Setting], object]
    what: str = HOLD
    kind: str = ALONE
    again: tuple[str, ...] = ()
    fails: str = ""
    same: bool = True
    needs: str = ""
    moments: tuple[str, ...] = tuple(MOMENTS)


@dataclass(frozen=True)
class Row:
    """One line of the table. problems: everything that is not as it must be; empty when the fault was survived."""

    fault: str
    moment: str
    outcome: str
    seconds: float | None
    lost: int
    twice: int
    leaked: int
    same: bool | None
    problems: tuple[str, ...]


# What a sweep that had to stop says last, with a student and without one.
STOPPED = ("not complete: ", "no student: the sweep had to stop")


def survive(place: Place, fault: Fault, moment: str, name: str, setting: Setting, reference: Truth | None) -> Row:
    """Run a sweep, hurt it at `moment`, and compare what it holds with `reference`, if there is one."""
    plan = MOMENTS[moment]
    if fault.kind == GROUP and moment == "middle":
        plan = {**plan, "trial": "t0000"}
    extra = [*EXTRA[fault.kind], *setting.extra]
    sweep = Sweep(place, name, setting.home, extra, dict(setting.environment))
    try:
        sweep.start(plan, fault.what)
        pid = sweep.held()
        at = time.monotonic()
        fault.hurt(sweep, pid, setting)
        code = sweep.wait()
        if code < 2 and any(sign in sweep.drivers[-1].output() for sign in STOPPED):
            sweep.resume()
            code = sweep.wait()
        if code:
            raise RuntimeError(f"the sweep ended with {code}:\n{sweep.output()[-3000:]}")
        left = setting.reserved() + sweep.gone()
        if sweep.watch is not None:
            sweep.watch.look()
        return _row(sweep, fault, moment, plan["trial"], at, left, reference)
    finally:
        sweep.close()


def _row(
    sweep: Sweep, fault: Fault, moment: str, hurt: str, at: float, left: list[str], reference: Truth | None
) -> Row:
    truth = look(sweep.folder, sweep.environment)
    missing, double = lost(truth, TRIALS[fault.kind]), twice(truth)
    if "://" in sweep.home:
        stale = apart(sweep.folder, f"{sweep.home}/sweeps/{sweep.name}", sweep.environment)
        missing += [f"object store: {name} is another" for name in stale]
    changed = [] if reference is None else different(truth, reference)
    problems = [*missing, *double, *(f"left behind: {what}" for what in left), *changed]
    again = {label: why for label, why in truth.again.items() if label != hurt or sorted(why) != sorted(fault.again)}
    if again or (fault.again and hurt not in truth.again):
        problems.append(f"started again: {truth.again}, not {hurt} because of {list(fault.again)}")
    if fault.fails not in truth.errors.get(hurt, "") or (truth.errors and not fault.fails):
        problems.append(f"failed: {truth.errors or 'nothing'}, not {hurt} by '{fault.fails}'")
    if "Traceback" in sweep.output():
        problems.append("a traceback: " + sweep.output()[-1500:])
    back = sweep.watch.first(at, lambda event: event["event"] in ("report", "end")) if sweep.watch else None
    same = None if reference is None else truth.champion == reference.champion
    return Row(
        fault.name,
        moment,
        _outcome(sweep, fault, truth),
        None if back is None else back - at,
        len(missing),
        len(double),
        len(left),
        same,
        tuple(problems),
    )


def _outcome(sweep: Sweep, fault: Fault, truth: Truth) -> str:
    words = []
    if len(sweep.drivers) > 1:
        words.append("resumed")
    if truth.again:
        words.append("queued again (" + ", ".join(sorted({why for all_ in truth.again.values() for why in all_})) + ")")
    if truth.errors:
        words.append("FAILED by name")
    return ", ".join(words) or "went on"
