"""The knowledge store of a sweep: planned, checked and built by Ray workers before the first trial.

Two sweeps that want the same build it once: one builds, the others wait. A shard is whole or absent, so whatever ends a
builder, the next one goes on where it stopped. Nothing here ends a sweep: what cannot be stored is asked live in every
trial, and said so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import ray
from ray.exceptions import RayError
from rich.console import Console

from raykd import storage
from raykd.errors import UserError
from raykd.knowledge.forms import Facts
from raykd.knowledge.library import Library
from raykd.knowledge.plan import Plan, lines, plan
from raykd.knowledge.shards import Part
from raykd.models.source import digest
from raykd.progress import track
from raykd.search.fill_task import Filled, Job, Spent, fill_shard
from raykd.search.holder import held
from raykd.search.room import room
from raykd.search.shelf import Shelf
from raykd.search.space import Space
from raykd.search.spec import SweepSpec
from raykd.search.stored import note, remember
from raykd.search.wanted import facts_of, wanted_by_all
from raykd.tasks.encode import Encoded
from raykd.train.trial import pair_of
from raykd.workspace import Workspace

SHARD_BYTES = 64 * 2**20  # of one shard of all parts together: what a worker holds in memory
MOST_ROWS, LEAST_SHARDS = 4096, 8  # so that workers have small jobs to share
SMALL_FLOPS = 2e11  # a few seconds of one core: sooner done here than a worker has started
WAIT_S = 3.0
RETRIES = 3  # of a shard whose worker died

Say = Callable[[str], object]


def gather(
    spec: SweepSpec, space: Space, workspace: Workspace, budget: int, console: Console, *, noted: bool = True
) -> SweepSpec:
    """`spec` with the places of what is stored of its teacher, all of it there when this returns. Ray must be there.

    budget: bytes; needs beyond it are asked live. noted: whether the sweep's folder gets a note of what it took.
    """

    def say(line: str) -> None:
        console.print(f"teacher's knowledge: {line}", markup=False)

    here = spec.reached(lambda place: str(storage.at_hand(place)))
    pair = pair_of(here.trial("plan", {"method": "none"}, ""))
    needs = wanted_by_all(here, space)
    if not needs:
        return spec
    train = Encoded.open(Path(here.train))
    if train.pads_left:
        say("asked live, as this tokenizer pads on the left, where positions depend on the batch")
        return spec
    planned = plan(needs, facts_of(pair, spec.task), train.lengths, budget)
    for line in lines(planned, len(train)):
        say(line)
    if not planned.stored:
        return spec
    library = Library(workspace.knowledge, digest(Path(here.teacher)), train.key)
    shelf = Shelf(workspace)
    builder = workspace.root / "builders" / f"{library.teacher[:16]}-{library.data[:16]}"
    try:
        with _alone(builder, workspace, say):
            places, spent, refused = _build(planned, library, facts_of(pair, spec.task), train, spec, shelf, console)
            ever = remember(spent, builder, workspace)
        if noted:
            live = bool(planned.dear or planned.batchwise or refused)
            note(room(workspace, spec.name), len(train), spent, ever, live=live)
    except (OSError, RayError) as error:  # a full disk, say; what stands by now is found again
        say(f"warning: it could not be stored ({str(error).splitlines()[0]}); trials ask the teacher live")
        return spec
    return spec.model_copy(update={"knowledge": tuple(places)})


def _build(
    planned: Plan, library: Library, facts: Facts, train: Encoded, spec: SweepSpec, shelf: Shelf, console: Console
) -> tuple[list[str], Spent, bool]:
    """The places of the parts, once every shard of theirs is there; what that took; whether a part cannot be
    stored."""

    def say(line: str) -> None:
        console.print(f"teacher's knowledge: {line}", markup=False)

    many = _rows_per_shard(planned.bytes, len(train))
    parts: list[Part] = []
    for need, _ in planned.stored:
        found = library.find(need)
        usable = found is not None and not found.missing()
        parts.append(found if found and usable else library.part(need, facts, train.lengths, rows_per_shard=many))
    for part in parts:
        for damage in shelf.discard_damaged(part):
            say(f"{damage}: built again")
    jobs: dict[tuple[int, int], list[Part]] = {}  # by rows a shard, and shard
    for part in parts:
        for shard in shelf.missing(part):
            jobs.setdefault((part.about.rows_per_shard, shard), []).append(part)
    flops = 2 * spec.teacher_parameters * int(train.lengths.sum())
    bad, spent = _run(jobs, spec, shelf, console, here=flops < SMALL_FLOPS) if jobs else ({}, Spent())
    for name, why in sorted(bad.items()):
        say(f"asked live, as it cannot be stored: {name}: {why}")
    kept = [part for part in parts if part.folder.name not in bad]
    for part in kept:
        shelf.complete(part)
    return [shelf.place(part) for part in kept], spent, bool(bad)


def _run(
    jobs: dict[tuple[int, int], list[Part]], spec: SweepSpec, shelf: Shelf, console: Console, *, here: bool
) -> tuple[dict[str, str], Spent]:
    """Have every shard written, on all nodes or `here`; the parts that cannot hold what the teacher says, and why; and
    what that took."""

    def job(parts: list[Part]) -> Job:
        abouts = tuple(part.about for part in parts)
        return Job(spec.teacher, spec.task.head, spec.train, shelf.root, abouts, spec.threads)

    todo = [(job(parts), shard) for (_, shard), parts in sorted(jobs.items(), key=lambda item: item[0])]
    started, refused, spent = time.monotonic(), dict[str, str](), Spent()
    with track("storing what the teacher says", len(todo), "shards") as advance:
        for filled in (fill_shard(*one) for one in todo) if here else _on_all_nodes(todo, spec):
            refused |= {name: why for name, _, why in (line.partition(": ") for line in filled.refused)}
            spent += filled.spent
            advance(1)
    console.print(f"teacher's knowledge: stored in {time.monotonic() - started:.0f} s", markup=False)
    return refused, spent


def _on_all_nodes(todo: list[tuple[Job, int]], spec: SweepSpec) -> Iterator[Filled]:
    """What `fill_shard` says of each, as they are done; what has not begun is called off where this ends early."""
    task = ray.remote(fill_shard).options(
        num_cpus=spec.threads, num_gpus=spec.gpus_per_worker, max_retries=RETRIES, retry_exceptions=False
    )
    waiting = [task.remote(*one) for one in todo]
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            yield from ray.get(done)
    finally:
        for left in waiting:
            ray.cancel(left, force=True)


def _rows_per_shard(size: int, rows: int) -> int:
    a_row = max(1, size // max(rows, 1))
    return max(1, min(MOST_ROWS, SHARD_BYTES // a_row, -(-rows // LEAST_SHARDS)))


@contextmanager
def _alone(folder: Path, workspace: Workspace, say: Say) -> Iterator[None]:
    """Nobody else builds the same, for which `folder` of the workspace stands, while the block runs, on any machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        told = False
        while True:
            try:
                stack.enter_context(held("of the store", folder, workspace.place(folder), lambda _: None))
                break
            except UserError:
                if not told:
                    say("another sweep is building it; this one waits")
                told = True
                time.sleep(WAIT_S)
        yield
