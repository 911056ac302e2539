"""What to store of a teacher and what to ask it live: sizes worked out before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np

from raykd.knowledge.forms import Facts, Precision, bytes_of, readable
from raykd.knowledge.library import serves
from raykd.methods.seen import PROJECTED, Need, projections_of


@dataclass(frozen=True)
class Plan:
    """stored, dear: needs with their bytes, the smallest first; dear ones are beyond the budget. batchwise: needs that
    look at padding. dear and batchwise ones are answered by the network in every trial."""

    stored: tuple[tuple[Need, int], ...]
    dear: tuple[tuple[Need, int], ...]
    batchwise: tuple[Need, ...]

    @property
    def bytes(self) -> int:
        """Of all that is to be stored."""
        return sum(size for _, size in self.stored)


def plan(needs: Set[Need], facts: Facts, lengths: np.ndarray, budget: int, precision: Precision = "float16") -> Plan:
    """Which of `needs` fit into `budget` bytes for rows of `lengths` tokens, the smallest first.

    One that another serves (a band of distances within a wider one) is left out. In the place of relations stand the
    projections that they are computed from where those are smaller, as they are for long texts. A need is only worth
    storing with all others of its kind, so a kind goes over the budget as a whole; relations and projections are one.
    """
    batchwise = tuple(sorted(need for need in needs if need.padding))
    kept = {need for need in needs if not need.padding}
    kept -= {need for need in kept if any(serves(other, need) for other in kept if other != need)}
    sources = {source for need in kept for source in projections_of(need)}
    sizes = {need: bytes_of(need, facts, lengths, precision) for need in kept | sources}
    sizes = {need: sizes[need] for need in _cheapest(kept, sizes)}
    kinds = {_kind(need) for need in sizes}
    of_kind = {kind: sum(size for need, size in sizes.items() if _kind(need) == kind) for kind in kinds}
    left, within = budget, set()
    for kind in sorted(kinds, key=lambda kind: (of_kind[kind], kind)):
        if of_kind[kind] > left:
            break
        left -= of_kind[kind]
        within.add(kind)
    ordered = sorted(sizes.items(), key=lambda item: (item[1], item[0]))
    return Plan(
        tuple(item for item in ordered if _kind(item[0]) in within),
        tuple(item for item in ordered if _kind(item[0]) not in within),
        batchwise,
    )


def _kind(need: Need) -> str:
    return "relation" if need.kind in PROJECTED.values() else need.kind


def _cheapest(needs: Set[Need], sizes: Mapping[Need, int]) -> set[Need]:
    """`needs`, where some of a layer's projections stand in the place of the relations that are computed from them."""
    kept = {need for need in needs if need.kind != "relation"}
    for layer in {need.layer for need in needs - kept}:
        relations = {need for need in needs - kept if need.layer == layer}
        sources = sorted({source for need in relations for source in projections_of(need)})
        # With none of the projections, with one, ..., with all: at most eight ways.
        ways = [
            {*some, *(need for need in relations if not projections_of(need) <= {*some})}
            for some in chain.from_iterable(combinations(sources, many) for many in range(len(sources) + 1))
        ]
        kept |= min(ways, key=lambda way: sum(sizes[need] for need in way - kept))
    return kept


def lines(of: Plan, rows: int) -> list[str]:
    """The plan for a person: a line a kind, with its needs and size."""
    told = []
    for what, items in (("stored", of.stored), ("asked live, beyond the budget", of.dear)):
        kinds: dict[str, list[tuple[Need, int]]] = {}
        for need, size in items:
            kinds.setdefault(need.kind, []).append((need, size))
        for kind, found in kinds.items():
            size = sum(size for _, size in found)
            which = ", ".join(sorted(readable(need).removeprefix(f"{kind}-") for need, _ in found))
            named = kind if which == kind else f"{kind} ({which})"
            told.append(f"{what}: {named}, {readable_size(size)}, {readable_size(size / max(rows, 1))} a row")
    if of.batchwise:
        named = ", ".join(map(readable, of.batchwise))
        told.append(f"asked live, as it depends on the padding of a batch: {named}")
    return told


def readable_size(size: float) -> str:
    """1536 is 1.5 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
