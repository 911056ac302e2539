"""What trials read is named so that every machine finds it, in a folder that all see and in an object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd import storage
from raykd.errors import UserError
from raykd.workspace import Workspace, here
from tests.search.conftest import elsewhere


def model(folder: Path, text: str = "weights") -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "model").write_text(text)
    return folder


def content(place: str) -> str:
    return storage.read_text(storage.join(place, "deep", "model"))


def test_a_folder_of_the_workspace_is_named_in_it(workspace: Workspace, tmp_path: Path) -> None:
    folder = model(workspace.teachers / "t")
    name = workspace.publish(folder)
    assert name == "home:teachers/t"
    other = elsewhere(workspace, tmp_path)
    assert content(other.reach(name)) == "weights"
    assert other.reach(name).startswith("file://") is (workspace.url is not None)
    assert workspace.publish(folder) == name
    assert other.recall(other.teachers / "t")
    assert (other.teachers / "t" / "deep" / "model").read_text() == "weights"
    assert not other.recall(other.teachers / "none")


@pytest.mark.parametrize("cluster", [False, True])
def test_a_folder_elsewhere_is_copied_where_others_cannot_see_it(
    workspace: Workspace, tmp_path: Path, cluster: bool
) -> None:
    folder = model(tmp_path / "my model")
    name = workspace.publish(folder, copy=cluster)
    if workspace.url is None and not cluster:
        assert name == str(folder)
        assert workspace.reach(name) == str(folder)
        return
    assert name.startswith("home:models/my model-")
    assert content(elsewhere(workspace, tmp_path).reach(name)) == "weights"
    assert workspace.publish(folder, copy=cluster) == name
    (folder / "deep" / "model").write_text("others!")
    other = workspace.publish(folder, copy=cluster)
    assert other != name
    assert (content(workspace.reach(name)), content(workspace.reach(other))) == ("weights", "others!")
    assert not list((tmp_path / "home").rglob("tmp-*"))


def test_an_upload_that_was_cut_short_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "copy", (tmp_path / "home").as_uri())
    folder = model(workspace.teachers / "t")
    known = storage.send

    def crash(source: Path, url: str) -> None:
        known(source, url)
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "send", crash)
    with pytest.raises(KeyboardInterrupt):
        workspace.publish(folder)
    other = Workspace(tmp_path / "other", workspace.url)
    assert not other.recall(other.teachers / "t")  # perhaps not all of it is there
    monkeypatch.setattr(storage, "send", known)
    workspace.publish(folder)
    assert other.recall(other.teachers / "t")


def test_two_that_copy_the_same_model_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "home")
    folder = model(tmp_path / "m")
    known = Path.rename

    def late(self: Path, target: Path) -> Path:
        if not target.exists():
            model(target)  # the other one
        return known(self, target)

    monkeypatch.setattr(Path, "rename", late)
    name = workspace.publish(folder, copy=True)
    assert content(workspace.reach(name)) == "weights"
    assert not list(workspace.root.rglob("tmp-*"))


@pytest.mark.parametrize("name", ["home:../x", "home:a/../../x", "home:/etc"])
def test_a_name_cannot_leave_the_workspace(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a name below"):
        workspace.reach(name)


def test_a_home_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYKD_HOME", "s3://user:secret@bucket/x")
    with pytest.raises(UserError) as refused:
        here()
    assert "secret@" not in str(refused.value)
    monkeypatch.delenv("RAYKD_HOME")
    assert here() == Workspace(Path("raykd-runs").absolute())
