"""Runs the cases one after the other, and keeps what several of them need: references, servers, a cluster."""

from __future__ import annotations

import itertools
import json
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

import pytest

from tests.chaos import cluster_faults, group_faults, machine_faults, service_faults
from tests.chaos.cluster_faults import CLUSTER, cluster
from tests.chaos.fault import EXTRA, GROUP, TRIALS, Fault, Row, Setting, survive
from tests.chaos.machine_faults import DISK, small_disk
from tests.chaos.place import Place
from tests.chaos.probe import CASE
from tests.chaos.service_faults import SERVERS
from tests.chaos.sweep import Sweep
from tests.chaos.truth import Truth, look, lost, twice

SORTS: Mapping[str, Sequence[Fault]] = {
    "machine": machine_faults.FAULTS,
    "group": group_faults.FAULTS,
    "services": service_faults.FAULTS,
    "cluster": cluster_faults.FAULTS,
}


class Bench:
    """stack: ends whatever was started, when the suite is over. quick: groups are compared with nothing."""

    def __init__(self, place: Place, stack: ExitStack, *, quick: bool) -> None:
        self.place, self.stack, self._quick = place, stack, quick
        self._references: dict[str, Truth] = {}
        self._numbers = itertools.count()
        self._servers = stack.enter_context(ExitStack())
        self._settings: dict[str, Setting] = {}

    def cases(
        self, sorts: list[str] | None, moments: list[str] | None, only: list[str] | None
    ) -> Iterator[tuple[Fault, str]]:
        """Every fault at every moment that was asked for. only: FAULT@MOMENT, parts of both names."""
        parts = [wanted.partition("@") for wanted in only or ()]
        for sort, faults in SORTS.items():
            for fault in faults if not sorts or sort in sorts else ():
                for moment in fault.moments:
                    named = any(name in fault.name and when in moment for name, _, when in parts)
                    if (named or not only) and (not moments or moment in moments):
                        yield fault, moment

    def run(self, fault: Fault, moment: str) -> Row:
        """One case. What goes wrong in the suite itself is a problem of the case, and the next one is run."""
        name = self._name()
        try:
            compared = fault.same and not (self._quick and fault.kind == GROUP)
            reference = self._reference(fault.kind) if compared else None
            with ExitStack() as stack:
                setting = self._setting(fault.needs, name, stack)
                return survive(self.place, fault, moment, name, setting, reference)
        except (Exception, pytest.skip.Exception) as error:
            problem = "".join(traceback.format_exception(error, limit=-2))
            return Row(fault.name, moment, "not survived", None, 0, 0, 0, None, (problem,))

    def _name(self) -> str:
        taken = self.place.folder / "cases"
        return next(name for n in self._numbers if not (taken / (name := f"s{n:03d}")).exists())

    def _setting(self, needs: str, name: str, stack: ExitStack) -> Setting:
        """A server serves all cases that need it; a disk and a cluster are new for each."""
        if not needs:
            return Setting()
        if needs == DISK:
            return stack.enter_context(small_disk(self.place.folder / "disk"))
        if needs == CLUSTER:
            case = self.place.folder / "cases" / name
            common = self.place.environment(str(self.place.folder / "home"))
            return stack.enter_context(cluster(case, {**common, CASE: str(case)}))
        if needs not in self._settings:
            self._servers.close()  # of another sort: one at a time is enough for a small machine
            self._settings = {needs: self._servers.enter_context(SERVERS[needs](self.place.folder / f"server-{needs}"))}
        return self._settings[needs]

    def _reference(self, kind: str) -> Truth:
        """What a sweep comes to that nobody hurts."""
        file = self.place.folder / f"unhurt-{kind}.json"
        if kind not in self._references and file.exists():
            self._references[kind] = Truth(**json.loads(file.read_text()))
        if kind not in self._references:
            sweep = Sweep(self.place, self._name(), extra=list(EXTRA[kind]))
            try:
                sweep.start()
                if sweep.wait():
                    raise RuntimeError(f"the sweep without a fault failed:\n{sweep.output()[-3000:]}")
                truth = look(sweep.folder, sweep.environment)
                left = sweep.gone()
            finally:
                sweep.close()
            if problems := [*lost(truth, TRIALS[kind]), *twice(truth), *left]:
                raise RuntimeError(f"a sweep without a fault is not as it should be: {problems}")
            self._references[kind] = truth
            file.write_text(json.dumps(asdict(truth)))
        return self._references[kind]
