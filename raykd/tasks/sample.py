"""The built-in sample: data of a task's shape for machines without network, hard enough to show distillation at work.

A seeded grammar writes it. The labels of dev are clean. Those of train are noisy, as those of crowds are: one class
label in five is another class, one answer in five is another clause's, scores are off by a normal error. A teacher
learns from a larger clean corpus, which stands for its pretraining; a student that sees only the small noisy train
split stays well behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from raykd.tasks import sample_pairs as pairs
from raykd.tasks import sample_questions as questions
from raykd.tasks import sample_single as single
from raykd.tasks.data import Data, Split
from raykd.tasks.sample_words import FILM_PARTS, OTHER_PARTS
from raykd.tasks.sample_words import vocabulary as words
from raykd.tasks.task import NO_ANSWER, Task

__all__ = ["CORPUS", "DEV", "TRAIN", "corpus", "generate", "read", "vocabulary"]

TRAIN, DEV, CORPUS = 2_000, 500, 12_000  # rows
NOISE = 0.2  # share of train's class labels that are another class, and of its answers that are another clause's
SCORE_NOISE = 1.25  # standard deviation of the error of train's scores, which are kept within 0 to 5

Row = tuple[tuple[str, ...], int | float]


def read(task: Task, seed: int = 1) -> Data:
    """The sample as `load` yields it."""
    train, dev = generate(task, seed)
    noise = f"normal errors of {SCORE_NOISE}" if task.regression else f"{NOISE:.0%} wrong classes"
    noise = f"{NOISE:.0%} wrong answers" if task.span else noise
    notes = (f"built-in sample: generated text; train labels carry {noise}, dev labels are clean",)
    return Data(task, train, dev, "built-in sample", notes, fingerprint="")


def generate(task: Task, seed: int, n_train: int = TRAIN, n_dev: int = DEV) -> tuple[Split, dict[str, Split]]:
    """Noisy train and clean dev splits. The same for the same arguments, on every machine."""
    if task.span:
        return _asked(task, f"train {seed}", n_train, NOISE), {"dev": _asked(task, f"dev {seed}", n_dev)}
    train = _noisy(task, _rows(task, f"train {seed}", n_train), Random(f"{task.name} noise {seed}"))
    return train, {name: _rows(task, f"{name} {seed}", n_dev, name) for name in task.dev}


def corpus(task: Task, seed: int, n: int = CORPUS) -> Split:
    """A clean and larger corpus of the same grammar, to train a teacher on."""
    return _asked(task, f"corpus {seed}", n) if task.span else _rows(task, f"corpus {seed}", n)


def vocabulary(task: Task) -> list[str]:
    """Every word that the task's sample can hold, sorted."""
    return questions.vocabulary() if task.span else words()


def _rows(task: Task, stream: str, n: int, part: str = "train") -> Split:
    chance = Random(f"{task.name} {stream}")  # seeding by text hashes it with SHA-512: no PYTHONHASHSEED
    write = WRITERS[task.name]
    rows = [write(chance, row, part) for row in range(n)]
    chance.shuffle(rows)
    return Split(tuple(texts for texts, _ in rows), tuple(label for _, label in rows))


def _asked(task: Task, stream: str, n: int, noise: float = 0.0) -> Split:
    """Questions; a third of them without an answer where the task has such."""
    chance = Random(f"{task.name} {stream}")
    rows = [questions.ask(chance, answered=bool(row % 3) or NO_ANSWER not in task.metrics) for row in range(n)]
    chance.shuffle(rows)
    answers = []
    for row in rows:
        others = [clause for number, clause in enumerate(row.clauses) if number != row.right]
        right = () if row.right is None else row.clauses[row.right]
        answers.append(chance.choice(others) if chance.random() < noise else right)
    texts = tuple((row.question, row.context) for row in rows)
    return Split(texts, tuple(int(bool(one)) for one in answers), tuple(answers))


def _noisy(task: Task, split: Split, chance: Random) -> Split:
    labels: list[int | float] = []
    for label in split.labels:
        if task.regression:
            labels.append(round(min(5.0, max(0.0, label + chance.gauss(0.0, SCORE_NOISE))), 3))
        elif chance.random() < NOISE:
            labels.append((int(label) + chance.randrange(1, len(task.labels))) % len(task.labels))
        else:
            labels.append(label)
    return Split(split.texts, tuple(labels))


def _cola(chance: Random, row: int, part: str) -> Row:
    return (single.sentence(chance, acceptable=bool(row % 2)),), row % 2


def _sst2(chance: Random, row: int, part: str) -> Row:
    return (single.judged(chance, positive=bool(row % 2)),), row % 2


def _yes_is_1(chance: Random, row: int, part: str) -> Row:
    """mrpc, qqp, wnli: 1 where the second text agrees with the first."""
    return pairs.entailment(chance, follows=row % 2 == 1), row % 2


def _yes_is_0(chance: Random, row: int, part: str) -> Row:
    """rte: 0 = entailment."""
    return pairs.entailment(chance, follows=row % 2 == 0), row % 2


def _qnli(chance: Random, row: int, part: str) -> Row:
    return pairs.question(chance, answered=row % 2 == 0), row % 2


def _mnli(chance: Random, row: int, part: str) -> Row:
    """Mismatched texts are about parts of films that train never mentions."""
    return pairs.inference(chance, row % 3, OTHER_PARTS if part == "dev_mismatched" else FILM_PARTS), row % 3


def _stsb(chance: Random, row: int, part: str) -> Row:
    return pairs.agreement(chance)


# Row numbers go round the classes, so that the classes are balanced to one row; the rows are shuffled afterwards.
WRITERS: dict[str, Callable[[Random, int, str], Row]] = {
    "cola": _cola,
    "sst2": _sst2,
    "mrpc": _yes_is_1,
    "stsb": _stsb,
    "qqp": _yes_is_1,
    "mnli": _mnli,
    "qnli": _qnli,
    "rte": _yes_is_0,
    "wnli": _yes_is_1,
}
