"""Where models come from: folders are checked, the hub is asked once and briefly, nothing unsafe is opened."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

import raykd.hub
from raykd.errors import UserError
from raykd.models.source import INDEX, digest, full_digest, resolve, weight_names

Folders = Callable[[str], Path]


def change(file: Path, **entries: Any) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | entries))


@pytest.fixture
def copied(folder_of: Folders, tmp_path: Path) -> Path:
    return shutil.copytree(folder_of("bert"), tmp_path / "model")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with nothing in it."""
    cache = tmp_path / "cache"
    real = huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **more: real(name, cache_dir=cache, **more))
    return cache


def test_a_good_folder_is_taken(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(str(copied), role="teacher") == copied.resolve()
    monkeypatch.chdir(copied.parent)
    assert resolve("model", role="teacher") == copied.resolve()
    assert resolve("./model", role="student") == copied.resolve()


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "~/absent/model", "a/b/c", "..", "", r"a\b"])
def test_an_absent_folder_is_named_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"student '.*no (such folder|config\.json)"):
        resolve(name, role="student")


def test_a_file_is_no_folder(copied: Path) -> None:
    with pytest.raises(UserError, match="is a file: name the folder"):
        resolve(str(copied / "model.safetensors"), role="teacher")


def test_pickled_weights_are_refused_by_name(copied: Path) -> None:
    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    resolve(str(copied), role="teacher")  # beside safetensors a pickle does no harm: it is never opened
    (copied / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"pickle \(pytorch_model.bin\).*save_pretrained"):
        resolve(str(copied), role="teacher")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused(file: str, copied: Path) -> None:
    change(copied / file, auto_map={"AutoModel": "mine.Mine"})
    with pytest.raises(UserError, match=f"{file} asks for remote code"):
        resolve(str(copied), role="teacher")


def test_all_problems_of_a_folder_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").touch()
    with pytest.raises(UserError) as caught:
        resolve(str(tmp_path), role="teacher")
    assert [problem.partition("': ")[2] for problem in caught.value.problems] == [
        "the folder has no config.json",
        f"the folder has no model.safetensors (and no {INDEX})",
    ]


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not readable as JSON"), ("[]", "JSON object"), ("{}", "no model_type")]
)
def test_a_broken_config_is_named(text: str, words: str, copied: Path) -> None:
    (copied / "config.json").write_text(text)
    with pytest.raises(UserError, match=words):
        resolve(str(copied), role="teacher")


def test_shards_are_found_and_missed(copied: Path) -> None:
    stored = load_file(copied / "model.safetensors")
    names = sorted(stored)
    parts = {"a.safetensors": names[:10], "b.safetensors": names[10:]}
    for file, held in parts.items():
        save_file({name: stored[name] for name in held}, copied / file, metadata={"format": "pt"})
    (copied / "model.safetensors").unlink()
    change(copied / INDEX, weight_map={name: file for file, held in parts.items() for name in held})
    assert resolve(str(copied), role="teacher") == copied.resolve()
    assert weight_names(copied) == set(stored)
    (copied / "b.safetensors").unlink()
    with pytest.raises(UserError, match=f"{INDEX} names files that are not there: b.safetensors"):
        resolve(str(copied), role="teacher")


def test_a_truncated_file_is_named(copied: Path) -> None:
    file = copied / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model.safetensors' is damaged"):
        weight_names(copied)


@pytest.mark.usefixtures("empty_cache")
def test_without_network_the_answer_is_quick_and_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raykd.hub, "reachable", lambda: False)
    start = time.perf_counter()
    with pytest.raises(UserError, match=r"teacher 'nobody/nothing'.*cannot be reached"):
        resolve("nobody/nothing", role="teacher")
    assert time.perf_counter() - start < 10


@pytest.mark.usefixtures("empty_cache")
def test_a_name_the_hub_cannot_have_is_refused() -> None:
    with pytest.raises(UserError, match="not a hub name either"):
        resolve("two words", role="teacher")


def cached_as(name: str, folder: Path, cache: Path) -> Path:
    """Lay out a hub cache as a download of `folder` would leave it."""
    repository = cache / ("models--" + name.replace("/", "--"))
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("f" * 40)
    return shutil.copytree(folder, repository / "snapshots" / ("f" * 40))


def test_a_complete_download_is_used_without_asking(
    copied: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> bool:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(raykd.hub, "reachable", never)
    snapshot = cached_as("some/model", copied, empty_cache)
    assert resolve("some/model", role="teacher") == snapshot


def test_an_interrupted_download_is_not_used(copied: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copied / "model.safetensors").unlink()
    cached_as("some/model", copied, empty_cache)
    monkeypatch.setattr(raykd.hub, "reachable", lambda: False)
    with pytest.raises(UserError, match="cannot be reached"):
        resolve("some/model", role="teacher")


def test_only_safe_files_are_fetched(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def download(name: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise huggingface_hub.errors.LocalEntryNotFoundError("not there")
        asked.append(options)
        return str(copied)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(raykd.hub, "reachable", lambda: True)
    assert resolve("some/model", role="teacher") == copied
    files = ["model.safetensors", "config.json", "vocab.txt", "pytorch_model.bin", "m.py", "onnx/config.json", "tf.h5"]
    chosen = huggingface_hub.utils.filter_repo_objects(
        files, allow_patterns=asked[0]["allow_patterns"], ignore_patterns=asked[0]["ignore_patterns"]
    )
    assert list(chosen) == ["model.safetensors", "config.json", "vocab.txt"]


@pytest.mark.parametrize("error", [OSError("429 Too Many Requests"), RuntimeError("connection lost")])
def test_a_failed_download_is_named(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, **options: Any) -> str:
        if options.get("local_files_only"):
            raise huggingface_hub.errors.LocalEntryNotFoundError("not there")
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(raykd.hub, "reachable", lambda: True)
    with pytest.raises(UserError, match=f"teacher 'some/model': fetching it from the hub failed: {error}"):
        resolve("some/model", role="teacher")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("adapter_config.json", "adapter_model.safetensors"), r"a PEFT adapter \(adapter_config.json\). Merge it"),
        (
            ("checkpoint-5/config.json", "checkpoint-10/config.json"),
            "but 2 of its folders do: name one, .*checkpoint",
        ),
        (("model.gguf",), r"there: model.gguf, a format that raykd does not read"),
        (("config.json", "tf_model.h5"), "the weights are only there as tf_model.h5, which raykd does not read"),
        (("config.json", "flax_model.msgpack"), "only there as flax_model.msgpack"),
        (("config.json", "model.onnx"), "only there as model.onnx"),
    ],
)
def test_what_a_folder_holds_instead(files: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """CASES 49, and its kind."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=words):
        resolve(str(tmp_path), role="teacher")


def test_a_link_to_nothing(tmp_path: Path) -> None:
    """CASES 48."""
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(UserError, match="is a link to 'gone', which is not there"):
        resolve(str(tmp_path / "link"), role="teacher")


def test_a_tokenizer_is_part_of_a_teachers_digest(copied: Path) -> None:
    """CASES 32: weights alone do not make a model."""
    before = digest(copied), full_digest(copied)
    file = copied / "tokenizer.json"
    file.write_text((file.read_text() if file.is_file() else "{}") + " ")
    assert digest(copied) == before[0]
    assert full_digest(copied) != before[1]
    changed = full_digest(copied)
    (copied / "raykd.json").write_text("{}")
    assert full_digest(copied) == changed
