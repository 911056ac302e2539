"""The tables of scenarios and of cases are whole, and every test they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "SCENARIOS.md"
KINDS = ROOT / "tests" / "CASES.md"


def rows() -> dict[str, str]:
    """The last cell of each scenario's row."""
    lines = [line for line in TABLE.read_text().splitlines() if re.match(r"\| S\d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(row) == 4 for row in cells)
    assert len({row[0] for row in cells}) == len(cells), "a scenario has two rows"
    return {row[0]: row[3] for row in cells}


ROWS = rows()
NAMES = r"`([^`\s]+::[^`]+)`"
NAMED = sorted({name for cell in (*ROWS.values(), KINDS.read_text()) for name in re.findall(NAMES, cell)})


def test_every_scenario_has_a_row() -> None:
    assert list(ROWS) == [f"S{number}" for number in range(1, 31)]


@pytest.mark.parametrize("scenario", ROWS)
def test_it_names_a_test(scenario: str) -> None:
    assert "::" in ROWS[scenario]


def test_every_kind_names_a_test() -> None:
    lines = [line for line in KINDS.read_text().splitlines() if re.match(r"\| (?!kind |---)", line)]
    assert len(lines) > 40
    assert [line for line in lines if not re.search(NAMES, line)] == []


@pytest.mark.parametrize("name", NAMED)
def test_the_test_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function.startswith("test_")
