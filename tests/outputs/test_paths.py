"""How two paths lie to each other, however they are written; and home folders by their sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.paths import expand_address, expand_home, relation


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a/model/file, b -> a, c -> a/model/file, d -> c."""
    (tmp_path / "a" / "model").mkdir(parents=True)
    (tmp_path / "a" / "model" / "file").write_text("x")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to(tmp_path / "a" / "model" / "file")
    (tmp_path / "d").symlink_to("c")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "other", "found"),
    [
        ("a/model", "a/model", "is"),
        ("b/model", "a/model", "is"),
        ("a/../b/./model", "a/model", "is"),
        ("b", "a", "is"),
        ("a", "b", "is"),
        ("a/model/new", "a/model", "lies in"),
        ("b/model/new/newer", "a/model", "lies in"),
        ("a/model/new", "b", "lies in"),
        ("a", "a/model", "holds"),
        ("a", "b/model/file", "holds"),
        ("a", "c", "holds"),
        ("a/model", "d", "holds"),
        (".", "c", "holds"),
        ("d", "d", "is"),
        ("c", "d", "is"),
        ("a/model/file", "d", "is"),
        ("a/mode", "a/model", None),
        ("a/models", "a/model", None),
        ("new", "a/model", None),
        ("new/a/model", "a/model", None),
        ("b2", "b", None),
    ],
)
def test_relations(tree: Path, path: str, other: str, found: str | None) -> None:
    assert relation(Path(path), Path(other)) == found
    assert relation(tree / path, tree / other) == found


def test_links_in_a_circle(tree: Path) -> None:
    (tree / "x").symlink_to("y")
    (tree / "y").symlink_to("x")
    assert relation(tree / "new", tree / "x") is None
    assert relation(tree / "y", tree / "x") == "is"


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~") == tmp_path
    assert expand_home(Path("~/a")) == tmp_path / "a"
    assert expand_home("a/~") == Path("a/~")
    with pytest.raises(UserError, match="no user 'nobody-at-all'"):
        expand_home("~nobody-at-all/x")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~draft").touch()
    assert expand_home("~draft") == Path("~draft")


@pytest.mark.parametrize(
    ("address", "expanded"),
    [
        ("sqlite:///~/x.db", "sqlite:////home/me/x.db"),
        ("sqlite+pysqlite:///~/x.db", "sqlite+pysqlite:////home/me/x.db"),
        ("~/mlruns", "/home/me/mlruns"),
        ("file:~/mlruns", "file:///home/me/mlruns"),
        ("file://~/mlruns", "file:///home/me/mlruns"),
        ("file:///~/mlruns", "file:///home/me/mlruns"),
        ("sqlite:///x~.db", "sqlite:///x~.db"),
        ("sqlite:////a/~/x.db", "sqlite:////a/~/x.db"),
        ("http://host/~me", "http://host/~me"),
        ("postgresql://user@host/~db", "postgresql://user@host/~db"),
        ("", ""),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, address: str, expanded: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand_address(address) == expanded
