"""How a report writes numbers, times and settings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

NONE = "\u2013"  # stands where there is nothing to show
MINUS = "\u2212"


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is such a number."""
    return value is not None and math.isfinite(value)


def score(value: float | None) -> str:
    """A metric, to four places."""
    return NONE if not known(value) else f"{value:.4f}".replace("-", MINUS)


def points(difference: float | None) -> str:
    """A difference of two scores in hundredths, with its sign: ``+1.2 points``."""
    if not known(difference):
        return NONE
    return f"{hundredths(difference)} points"


def hundredths(difference: float | None) -> str:
    """The same without the word."""
    return f"{difference * 100:+.1f}".replace("-", MINUS) if known(difference) else NONE


def interval(low: float | None, high: float | None) -> str:
    """Of scores; nothing where one seed gives none."""
    return NONE if not (known(low) and known(high)) else f"{score(low)} to {score(high)}"


def chance(p: float | None) -> str:
    """A p-value."""
    if not known(p):
        return NONE
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def size(parameters: int | None) -> str:
    """``14.4 M``."""
    if parameters is None:
        return NONE
    return f"{parameters / 1e6:.1f} M" if parameters >= 1e5 else f"{parameters / 1e3:.1f} k"


def time(seconds: float) -> str:
    """``0.3 s``, ``52 s``, ``12 min``, ``3.4 h``."""
    if 0 < seconds < 1:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def value(of: Any) -> str:
    """One setting."""
    return re.sub(r"e([+-])0+", r"e\1", f"{of:.4g}").replace("e+", "e") if isinstance(of, float) else clipped(str(of))


def settings(given: Mapping[str, Any]) -> str:
    """``method, name=value, ...``: the method first."""
    rest = [f"{name}={value(of)}" for name, of in given.items() if name != "method"]
    return ", ".join([str(given["method"]), *rest] if "method" in given else rest)


def clipped(text: str, most: int = 300) -> str:
    """`text` without its end where it is longer than that."""
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def many(count: int, what: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])
