"""Nothing of a table is cut off: in a pipe, in a narrow terminal, whatever COLUMNS says."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from raykd.terminal import Output, terminal

CELLS = ("student, undistilled", "0.7650 ± 0.0150", "+6.2 p<0.001", "kd batch_size=32 epochs=4 learning_rate=0.001")


def table() -> Table:
    made = Table(box=None)
    for number, cell in enumerate(CELLS):
        made.add_column(f"column {number}", no_wrap=cell != CELLS[-1])
    made.add_row(*CELLS)
    return made


@pytest.mark.parametrize("columns", ["20", "40", "80", "200", ""])
def test_in_a_pipe_a_row_is_a_line(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal().print(table())
    row = capsys.readouterr().out.splitlines()[1]
    assert [cell for cell in CELLS if cell not in row] == []
    assert "…" not in row


@pytest.mark.parametrize("width", [10, 20, 40, 80])
def test_in_a_narrow_terminal_no_value_is_cut(width: int) -> None:
    written = io.StringIO()
    console = Output(file=written, width=width, force_terminal=True, color_system=None, soft_wrap=True)
    console.print(table())
    assert [cell for cell in CELLS[:-1] if cell not in written.getvalue()] == []
    assert "…" not in written.getvalue()
    assert [word for word in CELLS[-1].split() if word not in written.getvalue()] == []
    assert console.width == width


def test_a_closed_pipe_is_an_error() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Output(file=Closed()).print("a")
