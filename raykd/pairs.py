"""The students of a run, each with the teacher: which of them can be made, and learn what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raykd.errors import UserError
from raykd.methods.method import Answers, Pair
from raykd.models.classifier import Head, load_config
from raykd.models.planned import student_shape
from raykd.models.positions import check_length
from raykd.models.source import resolve
from raykd.models.spec import Given
from raykd.models.student import check_student, make_student, parse_student, shape, size_of
from raykd.models.tokenizer import check_vocabulary, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def pairs_of(
    student: str | Sequence[str] | None,
    teacher: Path,
    origin: Path,
    task: tuple[Answers, bool],
    suits: Callable[[Pair, Path], object],
    say: Callable[[str], object],
    length: int = 0,
    *,
    spare: bool = False,
) -> dict[str, Pair]:
    """Each student by its description, with the teacher; see raykd.prepare for what is given.

    task: the kind of its answers, and whether there are texts beside it. length: tokens that rows are cut to. A student
    whom `suits` refuses is left out and said so; with `spare` one that cannot be made as well. UserError with every
    problem where none is left, and without `spare` where one cannot be made.
    """
    students = [student] if isinstance(student, str) else [*(student or [_half(teacher)])]
    larger = shape(load_config(teacher))
    found: dict[str, Pair] = {}
    impossible, unfit = dict[str, UserError](), dict[str, UserError]()
    for one in students:
        try:
            spec = parse_student(one)
            pair = Pair(larger, student_shape(spec, origin), *task)
            if isinstance(spec, Given):  # with positions of its own
                check_length("student", resolve(spec.name, role="student"), length)
        except UserError as error:
            impossible[one] = error
            continue
        try:
            suits(pair, origin)
            found[one] = pair
        except UserError as error:
            unfit[one] = error
    wrong = {**impossible, **unfit} if not found else {} if spare else impossible
    if wrong:
        raise UserError(*dict.fromkeys(problem for why in wrong.values() for problem in why.problems))
    for one, why in {**impossible, **unfit}.items():
        say(f"student {one} is left out: {'; '.join(why.problems)}")
    return found


def size_and_words(
    student: str, origin: Path, head: Head, tokenizer: PreTrainedTokenizerFast, head_from: Path | None = None
) -> int:
    """Parameters of the student, once it is known to read the teacher's tokens (one cut or built does anyway)."""
    spec = parse_student(student)
    check_student(spec, load_config(origin))
    made = make_student(spec, origin, head, seed=0, head_from=head_from)
    if isinstance(spec, Given):
        check_vocabulary(tokenizer, load_tokenizer(resolve(spec.name, role="student")))
    return size_of(made)


def size_warnings(sizes: Mapping[str, int], pairs: Mapping[str, Pair], teacher: int) -> list[str]:
    """A sentence for each student that is no smaller than its teacher.

    Args:
        sizes: The students' parameters, by description.
        pairs: Each with the teacher.
        teacher: The teacher's parameters.
    """
    lines = []
    for name, size in sizes.items():
        larger, smaller = pairs[name].teacher, pairs[name].student
        if size > teacher:
            lines.append(
                f"student {name} is larger than its teacher: {size:,} parameters, and the teacher has {teacher:,}"
            )
        elif (smaller.layers, smaller.hidden) == (larger.layers, larger.hidden):
            lines.append(f"student {name} has the teacher's depth and width: it is no faster")
    return lines


def _half(encoder: Path) -> str:
    """The default student: every other layer."""
    return f"cut:{max(1, shape(load_config(encoder)).layers // 2)}"
