"""Labels as people write them: numbers, missing values, and one label in two spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite

# What Python's float() takes beyond this (1_000, infinity, other alphabets' digits) is nobody's number in a file.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"-?(0|[1-9]\d*)\.0*", re.ASCII)  # an integer that became a float: 0.0, 12.0
FRACTION = re.compile(r"[+-]?\d*\.(\d+)", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?", re.ASCII)

# Spellings of "no value": of nothing else, and of what may be a class of that name.
MISSING = frozenset({"nan", "-nan", "<na>", "#n/a", "n/a", "nat", "\\n", "#value!", "#ref!"})
DOUBTFUL = frozenset({"none", "null", "na", "nil", "inf", "+inf", "-inf", "infinity", "-infinity"})

YES_NO = (frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"}))


def number(text: str) -> float | None:
    """The finite number that a label is, or None."""
    text = text.strip()
    if not NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if isfinite(value) else None


def exact(text: str) -> Decimal | None:
    """The same without rounding, to compare by: of two long codes that differ in the last digit each is its own."""
    value = number(text)
    if value is None:
        return None
    if value == 0:  # 0e999999999 is one, and 1e-999999999 is as good as one
        return Decimal(0)
    try:
        return Decimal(text.strip())
    except InvalidOperation:  # an exponent beyond what it holds
        return None


def fold(text: str) -> str:
    """A label without what differs between spellings of one: case, width, accents' form, spaces and their like."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", plain.strip())


def groups(labels: Iterable[str]) -> list[list[str]]:
    """Labels that are one label in several spellings: by number, by letters, or by yes and no."""
    every = list(labels)
    kinds: dict[object, list[str]] = {}
    for label in every:
        value = exact(label)
        kinds.setdefault(fold(label) if value is None else value, []).append(label)
    several = [group for group in kinds.values() if len(group) > 1]
    if several:
        return several
    folded = {label: fold(label) for label in every}
    if len(every) > 2 and all(any(text in words for words in YES_NO) for text in folded.values()):
        sides = [[label for label in every if folded[label] in words] for words in YES_NO]
        return [side for side in sides if len(side) > 1]
    return []


def is_missing(label: str) -> bool:
    """Whether the text stands for no value and for nothing else."""
    return not label or fold(label) in MISSING


def looks_like_codes(labels: Iterable[str]) -> bool:
    """Whether numbers with a fraction are written as codes are (1.9, 1.10): no way of writing numbers yields them.

    Numbers have as few decimals as they need, or all as many.
    """
    decimals = [match[1] for label in labels if (match := FRACTION.fullmatch(label.strip()))]
    trailing = any(len(part) > 1 and part.endswith("0") for part in decimals)
    return trailing and len({len(part) for part in decimals}) > 1


def has_decimal_commas(labels: Iterable[str]) -> bool:
    """Whether these are numbers with a comma where raykd wants a point."""
    every = [label.strip() for label in labels]
    return any("," in label for label in every) and all(DECIMAL_COMMA.fullmatch(label) for label in every)


def lookup(names: tuple[str, ...], numbered: bool) -> Mapping[object, int]:
    """The class of a label as written, of its number, and of its spelling, as far as each is of one class alone.

    numbered: the index of a class stands for it too.
    """
    classes: dict[object, int] = {name: index for index, name in enumerate(names)}
    if numbered:
        classes |= {str(index): index for index in range(len(names)) if str(index) not in classes}
    keys: dict[object, set[int]] = {}
    for name, index in classes.items():
        for key in (exact(str(name)), ("folded", fold(str(name)))):
            if key is not None:
                keys.setdefault(key, set()).add(index)
    return classes | {key: next(iter(indices)) for key, indices in keys.items() if len(indices) == 1}
