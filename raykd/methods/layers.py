"""Which layers of the two networks belong together, and what a pair must agree in; refusals name the valid range."""

from __future__ import annotations

from raykd.errors import UserError
from raykd.methods.method import Pair


def student_layers(pair: Pair) -> tuple[int, ...]:
    """1 to the student's last layer."""
    return tuple(range(1, pair.student.layers + 1))


def uniform(pair: Pair) -> tuple[int, ...]:
    """The teacher layer of each student layer 1..m: ceil(i n / m), i.e. 3, 6, 9, 12 for 12 to 4.

    UserError for a student deeper than its teacher: two of its layers would have the same master.
    """
    check_depth(pair)
    n, m = pair.teacher.layers, pair.student.layers
    return tuple(-(-i * n // m) for i in range(1, m + 1))


def check_depth(pair: Pair) -> None:
    """UserError unless the student has at most as many layers as the teacher."""
    if pair.student.layers > pair.teacher.layers:
        raise UserError(
            f"layers: the student has {pair.student.layers}, the teacher {pair.teacher.layers}; "
            f"give a student of 1 to {pair.teacher.layers}"
        )


def check_alike(pair: Pair, *, width: bool = False, heads: bool = False) -> None:
    """UserError unless both networks have the same hidden width, or the same number of attention heads."""
    teacher, student = pair.teacher, pair.student
    problems = []
    if width and teacher.hidden != student.hidden:
        problems.append(
            f"hidden width: the student has {student.hidden}, the teacher {teacher.hidden}; this method compares "
            f"their vectors as they are, so the student must be {teacher.hidden} wide (e.g. cut from the teacher)"
        )
    if heads and teacher.heads != student.heads:
        problems.append(
            f"heads: the student has {student.heads}, the teacher {teacher.heads}; this method compares them head "
            f"by head, so the student needs {teacher.heads}"
        )
    if problems:
        raise UserError(*problems)
