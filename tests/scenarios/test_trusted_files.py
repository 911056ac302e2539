"""S26: nothing that could run code is loaded, whoever names it: pickles and remote code are refused by name."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from raykd.models.save import CARD
from raykd.train import checkpoint
from tests.test_bad_input import Tell, own
from tests.train.test_checkpoint import state_at


class Trap:
    """Whoever unpickles this leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        return open, (str(self.mark), "w")


def pickled(folder: Path, mark: Path) -> list[str]:
    """Weights as a pickle alone; what the refusal must say."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark), protocol=2))
    return ["pytorch_model.bin", "pickle", "model.safetensors"]


def remote_model(folder: Path, mark: Path) -> list[str]:
    """A model with code of its own."""
    (folder / "modeling_own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")
    auto: dict[str, object] = {
        "AutoConfig": "modeling_own.Own",
        "AutoModelForSequenceClassification": "modeling_own.Own",
    }
    return _add(folder / "config.json", auto)


def remote_tokenizer(folder: Path, mark: Path) -> list[str]:
    """A tokenizer with code of its own."""
    (folder / "tokenization_own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")
    return _add(folder / "tokenizer_config.json", {"AutoTokenizer": [None, "tokenization_own.Own"]})


def _add(file: Path, auto: dict[str, object]) -> list[str]:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": auto}))
    return [file.name, "remote code", "auto_map"]


HARMS = [pickled, remote_model, remote_tokenizer]
COMMANDS: dict[str, Callable[[Path, Path, Path], list[str]]] = {
    "tune --teacher": lambda rows, _, bad: ["tune", *own(rows), "--teacher", str(bad), "--student", "cut:2"],
    "tune --student": lambda rows, good, bad: ["tune", *own(rows), "--teacher", str(good), "--student", str(bad)],
    "teach --teacher": lambda rows, _, bad: ["teach", *own(rows), "--teacher", str(bad)],
    "distill --teacher": lambda rows, _, bad: ["distill", *own(rows), "--teacher", str(bad), "--student", "cut:2"],
    "distill --student": lambda rows, good, bad: ["distill", *own(rows), "--teacher", str(good), "--student", str(bad)],
    "pretrain --teacher": lambda rows, _, bad: ["pretrain", str(rows), "--teacher", str(bad), "--student", "cut:2"],
    "pretrain --student": lambda rows, good, bad: [
        "pretrain",
        str(rows),
        "--teacher",
        str(good),
        "--student",
        str(bad),
    ],
    "evaluate": lambda rows, _, bad: ["evaluate", str(bad), *own(rows)],
    "predict": lambda rows, _, bad: ["predict", str(bad), str(rows)],
}


@pytest.fixture
def bad(teacher: Path, home: Path) -> Path:
    """A copy of the teacher, to be harmed, with a card as of a champion."""
    folder = home / "bad"
    folder.mkdir()
    for file in teacher.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    task = {"name": "custom", "labels": ["no", "yes"], "metrics": ["accuracy"], "primary": "accuracy"}
    (folder / CARD).write_text(json.dumps({"spec": {"task": task, "training": {"max_length": 16}}}))
    return folder


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_refused_by_every_command(
    tell: Tell, home: Path, rows: Path, teacher: Path, bad: Path, command: str, harm: Callable[[Path, Path], list[str]]
) -> None:
    mark = home / "mark"
    words = harm(bad, mark)
    said = tell(*COMMANDS[command](rows, teacher, bad))
    assert [word for word in [*words, str(bad)] if word not in said] == []
    assert not mark.exists()


@pytest.mark.parametrize("harm", HARMS)
def test_so_is_a_language_model_for_augmentation(
    home: Path, rows: Path, teacher: Path, bad: Path, harm: Callable[[Path, Path], list[str]]
) -> None:
    from raykd.augment.build import Augmentation, augmented
    from raykd.errors import UserError
    from raykd.tasks.data import Split

    mark = home / "mark"
    words = harm(bad, mark)
    split = Split((("w1 w2",), ("w3 w4",)), (0, 1))
    with pytest.raises(UserError) as raised:
        augmented(split, Augmentation(masked_lm=str(bad)), teacher, home / "cache", print)
    assert [word for word in words if word not in str(raised.value)] == []
    assert not mark.exists()


def test_word_vectors_are_text(home: Path) -> None:
    from raykd.augment.vectors import from_glove
    from raykd.errors import UserError

    mark, file = home / "mark", home / "vectors.pkl"
    file.write_bytes(pickle.dumps(Trap(mark), protocol=2))
    with pytest.raises(UserError):
        from_glove(file)
    assert not mark.exists()


def test_the_champion_in_mlflow_loads_no_pickle(home: Path, bad: Path) -> None:
    with warnings.catch_warnings():  # of MLflow's own type hints, when it is imported
        warnings.simplefilter("ignore")
        from mlflow.pyfunc import PythonModelContext

        from raykd.tracking.served import Student

    mark = home / "mark"
    pickled(bad, mark)
    with pytest.raises((OSError, ValueError, RuntimeError, pickle.UnpicklingError)):
        Student().load_context(PythonModelContext({"student": str(bad)}, {}))
    assert not mark.exists()


def test_a_pickle_beside_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    place = checkpoint.save(tmp_path, state_at(3))
    for name in ("state.pt", "optimizer.pkl", "pytorch_model.bin"):
        (place / name).write_bytes(pickle.dumps(Trap(tmp_path / "mark"), protocol=2))
    found = checkpoint.latest(tmp_path)
    assert found == place
    assert checkpoint.load(place).about["step"] == 3
    assert not (tmp_path / "mark").exists()


def test_the_trap_works(tmp_path: Path) -> None:
    """Else nothing above is proved."""
    file = tmp_path / "trap"
    file.write_bytes(pickle.dumps(Trap(tmp_path / "mark"), protocol=2))
    pickle.loads(file.read_bytes()).close()
    assert (tmp_path / "mark").exists()
