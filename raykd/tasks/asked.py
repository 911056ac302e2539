"""Questions to rows: answers found in their contexts, and what cannot be used dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from raykd.errors import UserError
from raykd.tasks.data import Answer, Split
from raykd.tasks.task import NO_ANSWER, Task


@dataclass(frozen=True)
class Question:
    """As a file or the hub has it; answers: where each is said to start, and its text; none: the context has none."""

    question: str
    context: str
    answers: list[Answer]


def split_of(task: Task, where: str, questions: Iterable[Question]) -> tuple[Split, tuple[str, ...]]:
    """The split that the questions make, and notes. Questions without text, and those of whose answers none stands in
    the context, are dropped; an answer that stands elsewhere than it says is moved to where it stands.

    Raises UserError when no question remains, and for unanswerable ones where the task has none.
    """
    texts: list[tuple[str, str]] = []
    answers: list[tuple[Answer, ...]] = []
    seen: Counter[str] = Counter()
    for one in questions:
        seen["all"] += 1
        found = [place(one.context, answer) for answer in one.answers]
        there = tuple(answer for answer in found if answer is not None)
        seen["moved"] += sum(
            new is not None and new != old for new, old in zip(found, map(_bare, one.answers), strict=True)
        )
        if not one.question.strip() or not one.context.strip():
            seen["empty"] += 1
        elif one.answers and not there:
            seen["lost"] += 1
        else:
            texts.append((one.question, one.context))
            answers.append(there)
    nothing = sum(not there for there in answers)
    if nothing and NO_ANSWER not in task.metrics:
        raise UserError(
            f"{where}: {nothing:,} of {len(answers):,} questions have no answer: take --task squad_v2, which knows such"
        )
    if not texts:
        raise UserError(f"{where}: no question is left of {seen['all']:,}")
    said = {
        "empty": "questions of {} without text: dropped",
        "lost": "questions of {} with answers that do not stand in the context: dropped",
        "moved": "answers of {} do not stand where they say: taken where they stand",
    }
    notes = tuple(f"{seen[key]:,} {text.format(where)}" for key, text in said.items() if seen[key])
    return Split(tuple(texts), tuple(int(bool(there)) for there in answers), tuple(answers)), notes


def place(context: str, answer: Answer) -> Answer | None:
    """The answer, without space around it, where it stands in the context: at its start, or nearest to that."""
    start, text = _bare(answer)
    if not text:
        return None
    if start >= 0 and context.startswith(text, start):
        return start, text
    before = context.rfind(text, 0, max(0, start) + len(text))
    after = context.find(text, max(0, start))
    near = [at for at in (before, after) if at >= 0]
    return (min(near, key=lambda at: abs(at - start)), text) if near else None


def _bare(answer: Answer) -> Answer:
    start, text = answer
    return start + len(text) - len(text.lstrip()), text.strip()
