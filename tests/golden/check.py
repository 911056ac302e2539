"""Check raykd's losses against a folder of reference values: ``python -m tests.golden.check DIR``.

DIR holds one folder a method (``ckd/``, ``vanilla_kd/``, ...) of ``.npz`` files. Prints for each folder how many files
and cases were checked and which cases fail, and everything that no check covers yet. Exits with 1 on a failure, or
where DIR does not exist or holds nothing that is covered; with 0 otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import (
    alp_kd,
    annealing_kd,
    born_again,
    ckd,
    ckd_combinatorial,
    combined_kd,
    data_augmentation,
    distilbert,
    fsd,
    lrc_bert,
    matekd,
    minilm,
    minimax_knn,
    pkd,
    relational,
    rkd,
    takd,
    teacher_free,
    textbrewer,
    tinybert,
    tkd,
    vanilla_kd,
)
from .cases import Case, broken

Check = Callable[[Path], "list[Case] | None"]

# Folder -> the cases of one of its files, or None where it covers no such file.
CHECKS: dict[str, Check] = {
    "alp_kd": alp_kd.check,
    "annealing_kd": annealing_kd.check,
    "born_again": born_again.check,
    "ckd": lambda path: data_augmentation.check(path) or ckd.check(path),
    "ckd_combinatorial": ckd_combinatorial.check,
    "combined_kd": combined_kd.check,
    "distilbert": distilbert.check,
    "fsd": fsd.check,
    "lrc_bert": lrc_bert.check,
    "matekd": matekd.check,
    "minilm": minilm.check,
    "minimax_knn": minimax_knn.check,
    "pkd": pkd.check,
    "relational": relational.check,
    "rkd": rkd.check,
    "takd": takd.check,
    "teacher_free": teacher_free.check,
    "textbrewer": textbrewer.check,
    "tinybert": tinybert.check,
    "tkd": tkd.check,
    "vanilla_kd": vanilla_kd.check,
}

# Folders whose cases share files of inputs: the file that a case works on, or None.
INPUTS: dict[str, Callable[[Path], Path | None]] = {"ckd": ckd.inputs_of, "fsd": fsd.inputs_of}


@dataclass
class Folder:
    """What became of one folder."""

    files: list[str] = field(default_factory=list)
    cases: list[tuple[str, Case]] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[tuple[str, Case]]:
        return [(file, case) for file, case in self.cases if not case.passed]


def check_folder(folder: Path, check: Check) -> Folder:
    """Check every file. One that cannot be read, or lacks what its case needs, is a failing case."""
    outcome = Folder()
    inputs = _named_as_inputs(folder)
    for path in sorted(folder.rglob("*.npz")):
        if path in inputs:
            continue
        name = str(path.relative_to(folder))
        try:
            cases = check(path)
        except Exception as problem:  # a damaged file raises whatever it likes
            cases = [broken("file", f"{type(problem).__name__}: {problem}")]
        if cases is None:
            outcome.uncovered.append(name)
            continue
        outcome.files.append(name)
        outcome.uncovered += sorted({f"{name}[{case.variant}]" for case in cases if not case.covered})
        compared = [case for case in cases if case.covered] or [broken("file", "it holds no result")]
        outcome.cases += [(name, case) for case in compared]
    return outcome


def _named_as_inputs(folder: Path) -> set[Path]:
    """Files that cases work on: read with these cases, hence neither checked nor left out."""
    named: set[Path | None] = set()
    inputs_of = INPUTS.get(folder.name, lambda path: None)
    for path in folder.rglob("*.npz"):
        try:
            named.add(inputs_of(path))
        except Exception:  # its own check reports it
            continue
    return {path for path in named if path is not None}


def check_all(root: Path) -> tuple[dict[str, Folder], list[str]]:
    """The outcome for every covered folder, and the names of what else is there."""
    outcomes: dict[str, Folder] = {}
    others: list[str] = []
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name in CHECKS:
            outcomes[path.name] = check_folder(path, CHECKS[path.name])
        elif path.is_dir() and (number := len(list(path.rglob("*.npz")))):
            others.append(f"{path.name}/ ({number} files)")
        elif path.suffix == ".npz":
            others.append(path.name)
    return outcomes, others


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.check", description=__doc__)
    parser.add_argument("root", metavar="DIR", type=Path, help="folder of reference values, one folder a method")
    root = parser.parse_args(arguments).root
    if not root.is_dir():
        print(f"no folder {root}")
        return 1
    torch.set_num_threads(1)
    outcomes, others = check_all(root)
    for name, outcome in outcomes.items():
        print(f"{name}: {len(outcome.files)} files, {len(outcome.cases)} cases, {len(outcome.failures)} failures")
        for file, case in outcome.failures:
            print(f"  FAIL {name}/{file} {case}")
        if outcome.uncovered:
            print(f"  not covered yet: {', '.join(outcome.uncovered)}")
    if not any(outcome.files for outcome in outcomes.values()):
        print(f"{root} holds no file this covers: it wants folders {', '.join(f'{name}/' for name in CHECKS)}")
        return 1
    if others:
        print(f"not covered yet: {', '.join(others)}")
    files, cases, failed, left = (
        sum(len(part) for part in parts)
        for parts in zip(*((o.files, o.cases, o.failures, o.uncovered) for o in outcomes.values()), strict=True)
    )
    print(f"all: {files} files, {cases} cases, {failed} failures, {left + len(others)} uncovered, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
