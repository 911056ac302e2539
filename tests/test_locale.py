"""Text is UTF-8 whatever the locale says: each command in a process whose Python knows ASCII alone, or Latin-1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.train.config import TaskSpec, Training

C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = [C, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}]
TEXTS = ["gut 💀", "schön, naïve", "\u2028 separates"]


def run(
    folder: Path, locale: dict[str, str], *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    root = str(Path(__file__).parents[1])
    environment = {
        **os.environ,
        "RAYKD_HOME": str(folder / "runs"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": root,
        **locale,
    }
    command = [sys.executable, "-m", "raykd", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of classes with names that are not ASCII, in a folder with such a name."""
    made = tmp_path_factory.mktemp("locale")
    tokenizer = word_tokenizer(["gut", "schlecht"])
    labels = ("gut 👍", "schlécht")
    model = scratch_classifier(tokenizer, Head(labels), layers=2, hidden=16, heads=2, intermediate=32, seed=1)
    task = TaskSpec(name="custom", labels=labels, metrics=("accuracy",), primary="accuracy")
    card = {"spec": {"task": task.model_dump(), "training": Training(max_length=16).model_dump()}}
    save_student(model, tokenizer, made / "schüler", card=card)
    (made / "texte 💀.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    return made


@pytest.mark.parametrize("locale", LOCALES, ids=str)
@pytest.mark.parametrize("command", ["methods", "tasks", "spaces"])
def test_lists(command: str, locale: dict[str, str], folder: Path) -> None:
    done = run(folder, locale, command)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8").count("\n") > 5


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES, ids=str)
@pytest.mark.parametrize("from_file", [True, False])
def test_answers_are_json(from_file: bool, locale: dict[str, str], folder: Path) -> None:
    """From a file, and from stdin, with line separators of Unicode inside a text."""
    file = ["texte 💀.txt"] if from_file else []
    done = run(folder, locale, "predict", "schüler", *file, given="\n".join(TEXTS).encode())
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode("utf-8").rstrip("\n").split("\n")
    answers = [json.loads(line) for line in lines]
    assert ["".join(answer["text"]) for answer in answers] == TEXTS
    assert {label for answer in answers for label in answer["probabilities"]} == {"gut 👍", "schlécht"}


def test_input_that_is_no_text(folder: Path) -> None:
    done = run(folder, {}, "predict", "schüler", given=b"gut\n\xff\xfe\n")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: the input, line 2: byte 0xff is not UTF-8")
