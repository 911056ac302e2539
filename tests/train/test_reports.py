"""A trial's log survives the crash of its writer."""

from __future__ import annotations

from pathlib import Path

from raykd.train.loop import Report
from raykd.train.reports import REPORTS, read_reports, write_report


def report(evaluation: int) -> Report:
    return Report(evaluation, evaluation / 8, evaluation, 0.5, True, {"dev/accuracy": 0.5}, 1.0, 2.0, 3.0)


def evaluations(folder: Path) -> list[int]:
    return [found["evaluation"] for found in read_reports(folder)]


def test_a_line_cut_short_by_a_crash_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    assert evaluations(tmp_path) == []
    write_report(tmp_path, report(1))
    with (tmp_path / REPORTS).open("a") as file:
        file.write('{"evaluation": 2, "prog')
    assert evaluations(tmp_path) == [1]
    write_report(tmp_path, report(2))
    assert evaluations(tmp_path) == [1, 2]
    assert read_reports(tmp_path)[1]["metrics"] == {"dev/accuracy": 0.5}


def test_an_evaluation_repeated_after_a_resume_counts_once(tmp_path: Path) -> None:
    for number in (1, 2, 3, 2, 3):
        write_report(tmp_path, report(number))
    assert evaluations(tmp_path) == [1, 2, 3]
