"""S27: a name is a name: it leads out of no folder, and a link leads to no removal of what is elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.manifest import prove, write_manifest
from raykd.models import source
from raykd.models.source import weight_files
from raykd.outputs import OutputFolder, check_folder
from raykd.workspace import Workspace, here
from tests.test_bad_input import Tell, own

OUTSIDE = [
    "../out",
    "..",
    ".",
    "",
    "a/../../out",
    "a/b",
    "/tmp/out",
    "~/out",
    "a\\..\\out",
    "..\\out",
    "a\0b",
    "a\nb",
    "-rf",
    ".hidden",
    "a..b",
    "naïve",
    "%2e%2e%2fout",
    "$HOME",
    "a" * 81,
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_sweep_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="sweep name") as raised:
        Workspace(tmp_path).sweep(name)
    assert "letters, digits" in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "rte-kd-1", "A.b_c-9", "a" * 80])
def test_other_names_are_folders_of_their_own(tmp_path: Path, name: str) -> None:
    assert Workspace(tmp_path).sweep(name) == tmp_path / "sweeps" / name


@pytest.mark.parametrize("more", [[], ["--resume"], ["--continue"]], ids=" ".join)
@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/b", "a\\b"])
def test_the_command_line_refuses_it_too(tell: Tell, home: Path, name: str, more: list[str]) -> None:
    said = tell("tune", "--task", "rte", "--data", "sample", "--name", name, *more)
    assert f"sweep name '{name}'" in said
    assert not (home / "out").exists()


@pytest.mark.parametrize("name", ["../../etc", "rte/../../x", "/etc/passwd"])
def test_tasks_and_methods_are_listed_names(tell: Tell, name: str) -> None:
    assert f"unknown task '{name}'" in tell("tune", "--task", name, "--data", "sample")
    assert f"unknown method '{name}'" in tell("tune", "--task", "rte", "--data", "sample", "--method", name)


@pytest.mark.parametrize("out", [".", "/", "..", "../home"])
def test_a_place_that_cannot_be_a_models_own_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    (home / "home" / "precious").mkdir(parents=True)
    monkeypatch.chdir(home / "home")
    with pytest.raises(UserError):
        check_folder(out, {}, None, command="teach")
    assert (home / "home" / "precious").is_dir()


@pytest.mark.parametrize("command", ["teach", "distill"])
def test_a_link_to_a_folder_of_other_things_is_refused(
    tell: Tell, rows: Path, home: Path, teacher: Path, command: str
) -> None:
    (home / "work").mkdir()
    (home / "work" / "thesis.txt").write_text("years")
    (home / "link").symlink_to(home / "work")
    said = tell(command, *own(rows), "--teacher", str(teacher), "--out", str(home / "link"))
    assert "is a link to" in said
    assert (home / "work" / "thesis.txt").read_text() == "years"


def test_a_link_to_a_model_stays_and_so_does_the_model(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "config.json").write_text("{}")
    write_manifest(tmp_path / "real", {"command": "teach"})
    seal = prove(tmp_path / "real").seal
    assert check_folder(tmp_path / "real", {}, None, command="teach") == OutputFolder(tmp_path / "real", seal)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(UserError, match="is a link to 'real', and stays one: name what is no link"):
        check_folder(tmp_path / "link", {}, None, command="teach")
    assert prove(tmp_path / "real").seal == seal


def test_shards_outside_of_the_folder_are_refused(teacher: Path) -> None:
    # transformers reads the index by itself: a decoy in the folder must not let it look elsewhere.
    (teacher / "model.safetensors").rename(teacher / "secret.safetensors")
    index = teacher / "model.safetensors.index.json"
    index.write_text('{"metadata": {}, "weight_map": {"a": "../secret.safetensors"}}')
    with pytest.raises(UserError, match=r"names files outside of its folder: \.\./secret\.safetensors"):
        source.check_folder(teacher, role="teacher")


@pytest.mark.parametrize("out", ["file/x", "dangling", "a\0b", "a" * 300, "b/" + "a" * 300, "dangling/x"])
def test_a_place_that_cannot_be_made_is_refused_before_training(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError):
        check_folder(f"{tmp_path}/{out}", {}, None, command="teach")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]


def test_shards_are_looked_for_in_their_own_folder(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "../secret.safetensors", "b": "/etc/other.safetensors"}}')
    assert {file.parent for file in weight_files(tmp_path)} == {tmp_path}


def test_the_workspace_is_the_one_named(home: Path) -> None:
    assert here().root == home / "home"
