"""What a column of labels means, guessed where nobody says it, and every guess said: classes, or a score."""

from __future__ import annotations

import re
from collections import Counter

from raykd.errors import UserError
from raykd.tasks.bad_rows import numbers, rows_text, settle, some
from raykd.tasks.labelled import Labelled
from raykd.tasks.labels import none_left
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.spellings import (
    DOUBTFUL,
    MISSING,
    WHOLE,
    exact,
    fold,
    groups,
    has_decimal_commas,
    is_missing,
    looks_like_codes,
    number,
)
from raykd.tasks.task import CUSTOM, Task

MANY = 10  # so many distinct labels with a fraction among them are a score, not classes
RARE = 3  # fewer rows with the label "none" or "null" than these are rows without a label
LIST = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)
NUMBERS = 0.9  # of a column of which so many labels are numbers, the others are mistakes


def infer(rows: Labelled, texts: tuple[str, ...], label: str, options: ReadOptions) -> tuple[Task, tuple[str, ...]]:
    """The custom task that a train file implies, and notes that say what was guessed.

    A score if some label has a fraction and there are at least 10 distinct ones, classes otherwise.

    Args:
        rows: texts and labels of the train file.
        texts: the columns of texts, for the task.
        label: the column of labels.
        options: `labels` says what is not guessed then: "classes", every spelling is one; "number", a score.

    Returns:
        The task and the notes.

    Raises:
        UserError: guessing would lose something, as with one label in several spellings or codes that look like
            numbers; nearly every row has a label of its own; no row has a label.
    """
    if not rows.labels:
        settle(rows.where, rows.unit, rows.total, rows.bad, options)
        raise UserError(none_left(rows))
    counts = Counter(rows.labels)
    del counts[""]
    kind, notes = options.labels, list[str]()
    if kind == "number":
        return _score(texts, label), (f"column '{label}' is taken as a score, as --labels says",)
    if kind is None:
        for name in [name for name in counts if is_missing(name) or _stands_for_none(name, counts)]:
            del counts[name]
        kept = [name for name in counts if fold(name) in DOUBTFUL]
        notes += [
            f"'{name}' ({rows_text(counts[name])}) is taken as a class: if it stands for no label, leave those rows out"
            for name in kept
        ]
    if not counts:
        raise UserError(f"{rows.where}: no row has a label in column '{label}' ({rows_text(rows.total)})")
    names = list(counts)
    lists = sum(count for name, count in counts.items() if LIST.fullmatch(name))
    if kind is None and 2 * lists > counts.total():
        raise UserError(
            f"{rows.where}: labels in column '{label}' read as lists ({', '.join(names[:3])[:200]}): one label a row "
            "is wanted, or say --labels classes if they are names"
        )
    if kind is None and not rows.classes:
        if guess := _guess_score(rows, label, counts):
            return _score(texts, label), (guess, *notes)
        _check_spellings(rows, label, counts)
    if len(names) > max(MANY, len(rows.labels) // 2):
        raise UserError(
            f"{rows.where}: column '{label}' has {len(names):,} distinct values in {rows_text(len(rows.labels))}: "
            "is it the label? If it is a score, say --labels number"
        )
    classes, more = _classes(rows, label, counts, kind)
    return _custom(texts, label, classes, ("accuracy", "f1_macro")), (*more, *notes)


def _stands_for_none(name: str, counts: Counter[str]) -> bool:
    """Whether "none" or "null", in whatever spelling, is no class: beside numbers alone, or in very few rows."""
    if fold(name) not in DOUBTFUL:
        return False
    others = [other for other in counts if fold(other) not in DOUBTFUL | MISSING]
    count = sum(counts[other] for other in counts if fold(other) == fold(name))
    rare = count < RARE or count < counts.total() / 100
    return bool(others) and (rare or all(number(other) is not None for other in others))


def _guess_score(rows: Labelled, label: str, counts: Counter[str]) -> str | None:
    """The note of a column that is taken as a score; None: as classes. UserError where neither is safe."""
    numeric = {name: value for name in counts if (value := number(name)) is not None}
    if has_decimal_commas(counts):
        raise UserError(
            f"{rows.where}: labels in column '{label}' look like numbers with a decimal comma "
            f"({', '.join(sorted(counts)[:3])}): write a point, or say --labels classes if they are names"
        )
    share = sum(counts[name] for name in numeric) / counts.total()
    if len(numeric) < len(counts) and not (share >= NUMBERS and len(numeric) >= MANY):
        return None
    if all(value.is_integer() for value in numeric.values()):
        return None
    same = [group for group in groups(numeric) if len(group) > 1]
    if same or looks_like_codes(numeric):
        pairs = "; ".join(" and ".join(f"'{name}'" for name in group[:3]) for group in same[:3])
        what = f"{pairs} are one number each" if same else "some end in a zero, some do not"
        raise UserError(
            f"{rows.where}: column '{label}' holds {len(numeric):,} codes or numbers ({', '.join(list(numeric)[:5])}): "
            f"{what}: say --labels classes if they are names, --labels number if they are scores"
        )
    if len(numeric) < MANY:
        return None
    distinct = f"column '{label}' holds {len(numeric)} distinct numbers"
    return f"{distinct}: taken as a score, not as classes (--labels classes if they are names)"


def _check_spellings(rows: Labelled, label: str, counts: Counter[str]) -> None:
    """UserError where one label stands in the column in several spellings."""
    kinds = {kind for kind, count in rows.kinds.items() if count}
    if "true or false" in kinds and len(kinds) > 1:
        shown = " and ".join(f"{rows.kinds[kind]:,} times {kind}" for kind in sorted(kinds))
        raise UserError(f"{rows.where}: column '{label}' holds {shown}: write every label in one way")
    same = groups(counts)
    if not same:
        return
    if all(WHOLE.fullmatch(name) for name in counts):
        return  # 0.0 and -0.0, 1. and 1.0: the integers they are
    parts = []
    for group in same[:5]:
        ways = sorted(group, key=lambda name: -counts[name])
        parts.append(" and ".join(f"'{name}' ({_places(rows, name, counts[name])})" for name in ways[:4]))
    numeric = all(number(name) is not None for group in same for name in group)
    other = ", --labels number if they are scores" if numeric else ""
    raise UserError(
        f"{rows.where}: column '{label}' writes one label in several ways: {'; '.join(parts)}"
        f"{'; ...' if len(same) > 5 else ''}. Write each in one way, or say --labels classes if each is a class of its "
        f"own{other}"
    )


def _places(rows: Labelled, name: str, count: int) -> str:
    lines = [line for line, other in zip(rows.numbers, rows.labels, strict=True) if other == name]
    return f"{rows_text(count)}: {numbers(rows.unit, lines)}"


def _classes(
    rows: Labelled, label: str, counts: Counter[str], kind: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names in order, and notes."""
    notes: list[str] = []
    names = set(counts)
    if rows.classes:
        ordered = [name for name in dict.fromkeys(rows.classes) if name in names]
        notes.append(f"column '{label}' holds {_listed(ordered)}, as the file names them")
        if unused := [name for name in rows.classes if name not in names]:
            notes.append(f"classes that {rows.where} names and no row has: {', '.join(unused[:10])} ({len(unused):,})")
        return tuple(ordered), tuple(notes)
    values = {name: exact(name) for name in names}
    pointed = [name for name in names if WHOLE.fullmatch(name)]
    if kind is None and pointed and all(value is not None and value == int(value) for value in values.values()):
        names = (names - set(pointed)) | {str(int(float(name))) for name in pointed}
        notes.append(
            f"labels in column '{label}' are whole numbers with a point (such as {min(pointed)}): read without"
        )
    numeric = {name: number(name) for name in names}
    if all(value is not None for value in numeric.values()):
        ordered = sorted(names, key=lambda name: (exact(name) or 0, name))
        hint = " (--labels number if they are scores)" if kind is None and len(names) > 2 else ""
    else:
        ordered, hint = sorted(names), ""
    notes.insert(0, f"column '{label}' holds {_listed(ordered)}{hint}")
    if single := [name for name in ordered if counts[name] == 1]:
        notes.append(f"of {rows_text(len(rows.labels))} only one is of class {some(single)}")
    if rows.kinds["true or false"]:
        notes.append(f"column '{label}' holds true and false: 1 is true, 0 is false")
    if kind == "classes" and (same := groups(names)):
        pairs = "; ".join(", ".join(f"'{name}'" for name in group) for group in same[:5])
        notes.append(f"classes that differ in spelling alone, each of its own as --labels says: {pairs}")
    return tuple(ordered), tuple(notes)


def _listed(names: list[str]) -> str:
    return f"{len(names)} classes: {', '.join(names[:10])}" + (", ..." if len(names) > 10 else "")


def _score(texts: tuple[str, ...], label: str) -> Task:
    return _custom(texts, label, (), ("pearson", "spearman"))


def _custom(texts: tuple[str, ...], label: str, labels: tuple[str, ...], metrics: tuple[str, ...]) -> Task:
    return Task(CUSTOM, "your own data", texts, labels, metrics, metrics[0], label_column=label)
