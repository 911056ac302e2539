"""The loss and the terms since the last report: their sums, and the steps in each sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import Tensor


class Tally:
    """sums stay on the device, so that a step need not wait; counts differ where a stage ends between two reports."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: Counter[str] = Counter()

    def add(self, measured: Mapping[str, Tensor]) -> None:
        """One step's loss and terms."""
        for name, value in measured.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.counts.update(measured.keys())

    def mean(self, name: str) -> float:
        """Over the steps that had it."""
        return float(self.sums[name]) / self.counts[name]

    def means(self) -> dict[str, float]:
        """All of them, as ``train/<name>``."""
        return {f"train/{name}": self.mean(name) for name in self.sums}

    def clear(self) -> None:
        """Begin anew, after a report."""
        self.sums = {}
        self.counts.clear()
