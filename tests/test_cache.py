"""`raykd cache`: what is stored of teachers, listed, read through, removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raykd import storage
from raykd.cli import main
from raykd.knowledge.forms import Facts
from raykd.knowledge.library import Library
from raykd.knowledge.shards import Part
from raykd.methods.seen import LOGITS, Need
from raykd.search.shelf import Shelf
from raykd.workspace import Workspace, here

LENGTHS = np.array([3, 5, 4, 2, 6])


@pytest.fixture(params=["folder", "url"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("RAYKD_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    monkeypatch.setenv("RAYKD_HOME", str(home) if request.param == "folder" else home.as_uri())
    return here()


@pytest.fixture
def parts(workspace: Workspace) -> list[Part]:
    """Logits and a layer's first tokens, in three shards each."""
    library, facts = Library(workspace.knowledge, "0123456789abcdef", "rows"), Facts(4, 2, 2)
    made = [library.part(need, facts, LENGTHS, rows_per_shard=2) for need in (LOGITS, Need("cls", 2))]
    for part in made:
        for shard in range(len(part)):
            width, dtype = part.about.form.width, part.about.form.dtype
            part.write(shard, [np.full(width, row, dtype) for row in part.rows(shard)])
        if workspace.url is not None:
            storage.send(part.folder, workspace.place(part.folder))
            Shelf(workspace).complete(part)
    return made


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["cache", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def there(workspace: Workspace) -> set[str]:
    return set(storage.names(workspace.place(workspace.knowledge)))


def test_nothing_yet(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("ls",), ("verify",), ("rm", "--all")):
        code, out, err = run(capsys, *words)
        assert (code, err) == (0, "")
        assert out


def test_ls_names_every_part_and_its_size(
    workspace: Workspace, parts: list[Part], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "ls")
    assert code == 0
    for part in parts:
        [line] = [line for line in out.splitlines() if part.folder.name in line]
        assert "0123456789ab" in line
        assert " 5 " in line
    assert "2 parts" in out


def test_verify_finds_a_flipped_bit_and_removes_that_shard(
    workspace: Workspace, parts: list[Part], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "verify")
    assert (code, "0 damaged" in out) == (0, True)
    place = Path(workspace.place(parts[1].folder).removeprefix("file://"))
    file = place / "shard-00001.bin"
    content = bytearray(file.read_bytes())
    content[2] ^= 1
    file.write_bytes(content)
    code, out, _ = run(capsys, "verify")
    assert code == 1
    assert f"{parts[1].folder.name}, shard 1: expected CRC-32" in out
    assert not file.exists()
    assert (place / "shard-00000.bin").exists()
    assert Shelf(workspace).missing(parts[1]) == [1]
    assert "incomplete" in run(capsys, "ls")[1]


def test_a_part_that_cannot_be_read_is_shown_and_can_go(
    workspace: Workspace, parts: list[Part], capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(workspace.place(parts[0].folder).removeprefix("file://"))
    (place / "about.json").write_text("{}")
    assert "damaged" in run(capsys, "ls")[1]
    assert run(capsys, "rm", parts[0].folder.name)[0] == 0
    assert there(workspace) == {parts[1].folder.name}


def test_rm(workspace: Workspace, parts: list[Part], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (part.folder.name for part in parts)
    code, out, _ = run(capsys, "rm", first)
    assert (code, there(workspace)) == (0, {second})
    assert "1 parts removed" in out
    assert run(capsys, "rm", "--all")[0] == 0
    assert there(workspace) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm",), "either the names of parts"),
        (("rm", "--all", "x"), "either the names of parts"),
        (("rm", "../../etc"), "unknown part '../../etc'"),
        (("rm", "logits", "cls-3"), "unknown part 'cls-3'"),
    ],
)
def test_mistakes(
    workspace: Workspace, parts: list[Part], capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert there(workspace) == {part.folder.name for part in parts}


@pytest.mark.parametrize("given", ["much", "-5GB", "20 parsecs", "nan", ""])
def test_a_budget_that_is_no_size(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tune", "--task", "rte", "--data", "sample", "--cache-budget", given])
    assert ended.value.code == 2
    assert f"cache-budget '{given}': a size such as" in capsys.readouterr().err
