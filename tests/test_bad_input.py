"""Bad input on the command line: one clear message each, exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from raykd.cli import main
from raykd.models.classifier import Head
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer

WORDS = [f"w{i}" for i in range(40)]
LABELS = ("no", "yes")

Tell = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own, and no hub."""
    monkeypatch.setenv("RAYKD_HOME", str(tmp_path / "home"))
    # Another test may have imported the hub's client already, with the endpoint of its environment.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("raykd.search.launch.check_tracking", lambda *_: None)  # seconds; it has tests of its own
    return tmp_path


@pytest.fixture
def tell(home: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run the command line and return what it says on stderr, having checked how it ended."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        assert ended.value.code == 2
        assert "Traceback" not in said.err + said.out
        assert not list((home / "home" / "sweeps").glob("*"))
        return said.err

    return run


@pytest.fixture
def rows(home: Path) -> Path:
    """A file of the user's own: a text and a label."""
    file = home / "rows.csv"
    lines = [f"w{i % 7} w{i % 5} w{i % 3},{LABELS[i % 2]}" for i in range(60)]
    file.write_text("text,label\n" + "\n".join(lines) + "\n")
    return file


@pytest.fixture
def teacher(home: Path) -> Path:
    """A classifier of four layers that was never fine-tuned."""
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(LABELS), layers=4, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, home / "teacher")
    return home / "teacher"


def own(rows: Path) -> list[str]:
    return ["--task", "custom", "--data", str(rows), "--text-columns", "text", "--label-column", "label"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "rtee"], ["unknown task 'rtee'", "did you mean 'rte'", "stsb"]),
        (["--task", "rte", "--method", "kdd"], ["unknown method 'kdd'", "did you mean 'kd'"]),
        (["--task", "rte", "--space", "cdk"], ["'cdk'", "did you mean 'ckd'"]),
        (["--task", "rte", "--student", "cut:x"], ["cut:x", "cut:3", "build:4/312/12"]),
        (["--task", "rte", "--student", "cut:2 cut:x"], ["cut:x", "cut:3"]),
        (["--task", "rte", "--student", "cut:2 cut:2:spread"], ["cut:2:spread"]),
        (["--task", "rte", "--aim", "accuracy>0.9*teecher"], ["only >= is allowed", "did you mean 'teacher'"]),
        (["--task", "rte", "--aim", "acuracy>=0.9"], ["unknown metric 'acuracy'", "did you mean 'accuracy'"]),
        (["--task", "rte", "--trials", "0"], ["trials 0", "at least 1"]),
        (["--task", "rte", "--sampler", "tpee"], ["unknown sampler 'tpee'", "grid"]),
        (["--task", "rte", "--epochs", "0"], ["epochs", "greater than 0"]),
        (["--task", "rte", "--name", "../out"], ["sweep name '../out'", "letters"]),
        (["--task", "rte", "--workers-per-trial", "999"], ["workers-per-trial 999", "cores"]),
        (["--task", "rte", "--gpus-per-worker", "99"], ["gpus-per-worker 99", "GPUs"]),
        (["--task", "rte", "--resume", "--name", "nothing"], ["no sweep in"]),
        (["--task", "rte", "--data", "/no/such/folder"], ["no such file or folder", "/no/such/folder"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_tune(tell: Tell, arguments: list[str], said: list[str]) -> None:
    data = [] if "--data" in arguments else ["--data", "sample"]
    heard = tell("tune", *arguments, *data)
    assert [part for part in said if part not in heard] == []


def test_batches_that_do_not_divide(tell: Tell, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raykd.search.hardware.available_cpus", lambda: 8)
    heard = tell("tune", "--task", "rte", "--data", "sample", "--workers-per-trial", "3")
    assert "batch_size 32: does not divide among 3 workers" in heard


def test_all_problems_at_once(tell: Tell) -> None:
    heard = tell("tune", "--task", "rtee", "--method", "kdd", "--student", "cut:x", "--trials", "0", "--name", "a/b")
    assert len(heard.strip().splitlines()) == 5


def test_space_with_mistakes(tell: Tell, home: Path) -> None:
    """S22: lamda, T = 0 and alpha = 1.7, all named, with the nearest name and what is allowed."""
    space = home / "mine.yaml"
    space.write_text(
        "about: x\nsource: x\nmethod: ckd\nparameters:\n"
        "  lamda_ckd: {choice: [1, 10]}\n  temperature: {choice: [0, 2]}\n  alpha: {float: [0.1, 1.7]}\n"
    )
    heard = tell("tune", "--task", "rte", "--data", "sample", "--space", str(space))
    assert "did you mean 'lambda_ckd'" in heard
    assert "temperature" in heard
    assert "greater than 0" in heard
    assert "1.7" in heard
    assert "less than or equal to 1" in heard


def test_settings_of_one_distillation(tell: Tell, rows: Path) -> None:
    heard = tell(
        "distill", *own(rows), "--method", "kd", "--set", "alpha=1.7", "--set", "temperature=0", "--set", "lamda=1"
    )
    assert "alpha = 1.7" in heard
    assert "temperature = 0" in heard
    assert "unknown kd setting 'lamda'" in heard
    assert "write name=value" in tell("distill", *own(rows), "--set", "alpha")


def test_columns(tell: Tell, rows: Path) -> None:
    heard = tell("tune", "--task", "custom", "--data", str(rows), "--text-columns", "txt", "--label-column", "label")
    assert "'txt'" in heard
    assert "did you mean 'text'" in heard


def test_empty_and_one_class_files(tell: Tell, home: Path) -> None:
    """S24."""
    empty, single = home / "empty.csv", home / "single.csv"
    empty.write_text("")
    single.write_text("text,label\n" + "w1 w2,yes\n" * 30)
    assert "empty" in tell("tune", *own(empty))
    assert "yes" in tell("tune", *own(single))


@pytest.mark.parametrize("student", ["cut:9", "cut:0", "cut:2,7", "build:2/33/4"])
def test_students_that_cannot_be(tell: Tell, rows: Path, teacher: Path, student: str) -> None:
    """S21: refused before anything is trained, with the range."""
    heard = tell("tune", *own(rows), "--teacher", str(teacher), "--student", student)
    assert "4" in heard
    assert student.split(":")[0] in heard


def test_one_of_several_students_that_cannot_be(tell: Tell, rows: Path, teacher: Path) -> None:
    """Those that are named must all be possible; of a space's own the impossible are left out."""
    given = [*own(rows), "--teacher", str(teacher)]
    heard = tell("tune", *given, "--student", "cut:2 cut:9 build:2/33/4")
    assert "student 'cut:9': 9 layers of a teacher with 4: give 1 to 4" in heard
    assert "33" in heard
    assert "majority class" in tell("tune", *given, "--space", "shapes")  # which goes on to look at the teacher


def test_hub_out_of_reach(tell: Tell) -> None:
    """S25: the data set, then the teacher."""
    heard = tell("tune", "--task", "rte")
    assert "nyu-mll/glue" in heard
    assert "--data sample" in heard
    assert "127.0.0.1:9" in heard


def test_teacher_from_a_hub_out_of_reach(tell: Tell, rows: Path) -> None:
    assert "no-such/teacher" in tell("tune", *own(rows), "--teacher", "no-such/teacher")


def test_teacher_folder_that_is_not_there(tell: Tell, rows: Path, home: Path) -> None:
    assert "no such folder" in tell("tune", *own(rows), "--teacher", str(home / "absent"))


def test_teacher_that_was_never_fine_tuned(tell: Tell, rows: Path, teacher: Path) -> None:
    """S16: at or under the majority class."""
    heard = tell("tune", *own(rows), "--teacher", str(teacher), "--student", "cut:2")
    assert "majority class" in heard
    assert "raykd teach" in heard


def test_labels_in_another_order(tell: Tell, rows: Path, home: Path) -> None:
    """S17: both maps printed."""
    tokenizer = word_tokenizer(WORDS)
    model = scratch_classifier(tokenizer, Head(("yes", "no")), layers=2, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, home / "reversed")
    heard = tell("tune", *own(rows), "--teacher", str(home / "reversed"), "--student", "cut:1")
    assert "{0: yes, 1: no}" in heard
    assert "{0: no, 1: yes}" in heard


def test_student_that_reads_other_tokens(tell: Tell, rows: Path, teacher: Path, home: Path) -> None:
    """S18: both sizes printed."""
    tokenizer = word_tokenizer(WORDS[:10])
    model = scratch_classifier(tokenizer, Head(LABELS), layers=1, hidden=32, heads=4, intermediate=64, seed=1)
    save_student(model, tokenizer, home / "other")
    heard = tell("tune", *own(rows), "--teacher", str(teacher), "--student", str(home / "other"))
    assert "45" in heard
    assert "15" in heard


def test_pickled_weights(tell: Tell, rows: Path, teacher: Path) -> None:
    """S26: a teacher that would have to be unpickled is not loaded."""
    (teacher / "model.safetensors").rename(teacher / "pytorch_model.bin")
    assert "safetensors" in tell("tune", *own(rows), "--teacher", str(teacher), "--student", "cut:2")


def test_prediction_without_text(tell: Tell, teacher: Path, home: Path) -> None:
    blank = home / "blank.txt"
    blank.write_text("\n\n")
    assert "not made by raykd" in tell("predict", str(teacher), str(blank))
    assert "no such file" in tell("predict", str(teacher), str(home / "nothing.txt"))


@pytest.mark.parametrize(("what", "name"), [("tasks", "rtee"), ("methods", "kdd"), ("spaces", "ckdd")])
def test_lists(tell: Tell, what: str, name: str) -> None:
    assert "did you mean" in tell(what, name)


def test_a_pair_that_a_method_cannot_serve(tell: Tell, rows: Path, teacher: Path) -> None:
    given = [*own(rows), "--teacher", str(teacher), "--method", "pkd", "--student", "build:2/16/4"]
    for command in (["tune"], ["distill", "--epochs", "1"]):
        said = tell(*command, *given)
        assert "method 'pkd': hidden width: the student has 16, the teacher 32" in said
        assert "must be 32 wide" in said


def test_a_method_that_wants_texts(tell: Tell, rows: Path, teacher: Path) -> None:
    given = ["tune", *own(rows), "--teacher", str(teacher), "--method", "minimax_knn"]
    assert "give one or more with --corpus" in tell(*given)
    assert "no such file or folder of texts" in tell(*given, "--corpus", "/no/such/texts.txt")


def test_texts_beside_the_rows(tell: Tell, home: Path, rows: Path, teacher: Path) -> None:
    (home / "empty.txt").write_text("\n")
    given = ["distill", *own(rows), "--teacher", str(teacher)]
    said = tell(*given, "--unlabelled", str(home / "empty.txt"), "--corpus", "/no/such.txt")
    assert "holds no text" in said  # both at once
    assert "no such file or folder of texts" in said
    assert "give it too" in tell(*given, "--augment-with", "roberta-base")
    assert "doc-stride is for questions" in tell(*given, "--doc-stride", "5")


def test_the_general_stage(tell: Tell, home: Path, teacher: Path) -> None:
    (home / "texts.txt").write_text("w1 w2\nw3\n")
    given = ["pretrain", str(home / "texts.txt"), "--teacher", str(teacher), "--student"]
    assert "looks at logits and labels alone" in tell(*given, "cut:2", "--method", "kd")
    said = tell(*given, "cut:x", "--method", "ckd", "--set", "delta=0", "--epochs", "0")
    assert "cut:x" in said  # all at once
    assert "delta" in said
    assert "epochs" in said
    assert "1 to 4" in tell(*given, "cut:9", "--method", "ckd")


@pytest.mark.parametrize("command", ["teach", "distill"])
def test_a_place_that_is_not_for_models(tell: Tell, home: Path, rows: Path, teacher: Path, command: str) -> None:
    (home / "work").mkdir()
    (home / "work" / "thesis.txt").write_text("years")
    said = tell(command, *own(rows), "--teacher", str(teacher), "--out", str(home / "work"))
    assert "holds 'thesis.txt', and no raykd.json. Nothing is removed" in said
    assert (home / "work" / "thesis.txt").read_text() == "years"
