"""What the fuzzer found, one plain case each: every one of these ended in a traceback or did not end."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fuzz.base import OWN, ROWS, TEACHER
from tests.fuzz.case import Case, Entry, Link, Pipe
from tests.fuzz.ground import Ground, ground
from tests.fuzz.sound import sweep_files, teacher_files

Refused = Callable[..., str]
LISTED = ("tune", "--task", "rte", "--data", "sample", "--teacher", "absent", "--space", "s.yaml")
START = b"method: kd\nparameters: "


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("found")) as made:
        yield made


@pytest.fixture
def refused(place: Ground) -> Refused:
    """Run a command among some files; what it said when it was refused."""

    def run(*words: str, **files: Entry) -> str:
        outcome = place.run(Case(words, {name.replace("__", "."): entry for name, entry in files.items()}))
        assert (outcome.fault, outcome.ended) == ("", "refused"), outcome.where
        return outcome.said

    return run


def merge_bomb(levels: int) -> bytes:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], y{n}: 1}}" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (START + b"{alpha: !!bool maybe}", "not readable as YAML"),  # KeyError
        (START + b"{alpha: !!int ''}", "not readable as YAML"),  # IndexError
        (merge_bomb(9), "a mapping of"),  # 9**8 entries
        (b'about: "\\ud800"\n' + START + b"{alpha: {fixed: 0.5}}", "is not text"),  # could not be kept
    ],
)
def test_spaces(refused: Refused, content: bytes, said: str) -> None:
    assert said in refused(*LISTED, s__yaml=content)


def test_a_range_of_batch_sizes_without_end(place: Ground) -> None:
    """Every one of them was looked at."""
    space = START + b"{batch_size: {int: [1, 1000000000000000]}}"
    for words in (LISTED, (*LISTED, "--workers-per-trial", "2")):
        assert place.run(Case(words, {"s.yaml": space})).ended == "refused"


def test_half_a_character_in_json(refused: Refused) -> None:
    rows = b'{"text": "\\ud800", "label": "no"}\n{"text": "w2", "label": "yes"}\n' * 2
    assert "half of a character" in refused("teach", *OWN, "--data", "t.jsonl", t__jsonl=rows)
    asked = {"context": "w1 \ud800", "qas": [{"question": "w1", "answers": [{"answer_start": 0, "text": "w1"}]}]}
    squad = json.dumps({"data": [{"paragraphs": [asked]}]}).encode()
    assert "half of a character" in refused("teach", "--task", "squad", "--data", "q.json", q__json=squad)
    pairs = (
        b'{"text": "\\ud83d\\ude00 w%d", "label": "no"}\n{"text": "w%d", "label": "yes"}\n' % (n, n) for n in range(2)
    )
    whole = b"".join(pairs)
    assert "absent" in refused("teach", *OWN, "--data", "t.jsonl", "--teacher", "absent", t__jsonl=whole)


@pytest.mark.parametrize("row", [b'{"a":' * 100_000, b'{"text": "w", "label": ' + b"9" * 5000 + b"}"])
def test_json_beyond_the_parser(refused: Refused, row: bytes) -> None:
    assert "is not JSON" in refused("teach", *OWN, "--data", "t.jsonl", t__jsonl=row)


def test_files_that_cannot_be_read(refused: Refused) -> None:
    memory = Link("/proc/self/mem")
    assert "cannot be read" in refused("teach", *OWN, "--data", "t.jsonl", t__jsonl=memory)
    assert "cannot be read" in refused("teach", "--task", "squad", "--data", "q.json", q__json=memory)
    assert "cannot be read" in refused("tune", *ROWS, *TEACHER, "--unlabelled", "t.txt", t__txt=memory)


def test_pipes_and_devices(refused: Refused) -> None:
    """Nobody writes to the pipe: reading it would wait for ever."""
    assert "no such file" in refused("tune", *ROWS, *TEACHER, "--unlabelled", "t.txt", t__txt=Pipe())
    assert "no .txt file" in refused("pretrain", ".", *TEACHER, "--student", "cut:1", t__txt=Pipe())
    assert "no such file" in refused("teach", *OWN, "--data", "t.csv", t__csv=Link("/dev/null"))


def test_brackets_are_no_markup(place: Ground) -> None:
    """rich took [/x] for the end of a style; the name is shown as it is."""
    rows = (place.root / "base" / "rows.csv").read_bytes().replace(b"label", b"[/x]", 1)
    words = ("tune", "--task", "custom", "--text-columns", "text", "--label-column", "[/x]", "--data", "[b].csv")
    outcome = place.run(Case((*words, "--teacher", "absent"), {"[b].csv": rows}))
    assert outcome.ended == "refused"
    assert "file [b].csv" in outcome.said
    assert "column '[/x]'" in outcome.said


def test_a_column_that_is_two_things(refused: Refused) -> None:
    given = ("--task", "custom", "--data", "../base/rows.csv", "--label-column", "label", "--text-columns")
    assert "different columns" in refused("teach", *given, "text,text")
    assert "different columns" in refused("teach", *given, "label")


def test_words(refused: Refused) -> None:
    assert "not UTF-8 text" in refused("teach", "--task", "\udcff")
    assert "File name too long" in refused("teach", *OWN, "--data", "x" * 300)
    assert len(refused("tasks", "x" * 100_000)) < 10_000


@pytest.mark.parametrize("flags", [("--gpus-per-worker", "nan"), ("--time-budget", "nan"), ("--seed", "9" * 40)])
def test_numbers(refused: Refused, flags: tuple[str, str]) -> None:
    assert flags[0].strip("-") in refused("tune", *ROWS, *TEACHER, *flags)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("build:100000/8/2", "100,000 layers"),  # were made one by one
        ("build:1/999999998/2", "its weights need"),  # was made in memory
        ("cut:" + "9" * 5000, "is not understood"),
        ("build:" + "9" * 5000 + "/8/2", "is not understood"),
    ],
)
def test_students(refused: Refused, student: str, said: str) -> None:
    assert said in refused("tune", *ROWS, *TEACHER, "--method", "kd", "--student", student)


def test_damaged_sweeps(place: Ground) -> None:
    for file in ("sweep.json", "space.json"):
        for content in (b"", b"{", b"\xff\xfe", b"[]"):
            files = {f"home/sweeps/s/{name}": sound for name, sound in sweep_files().items()}
            outcome = place.run(
                Case(("tune", "--task", "custom", "--resume"), {**files, f"home/sweeps/s/{file}": content})
            )
            assert outcome.ended == "refused"
            assert f"its {file} is damaged" in outcome.said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),  # was made layer by layer
        ({"num_labels": 10**9}, "num_labels is 1000000000"),  # each was given a name
        ({"hidden_size": "wide"}, "config.json"),
        ({"layer_types": "x"}, "config.json"),
        ({"pad_token_id": 10**9}, "configuration"),
        ({"problem_type": "single_label_classification", "num_labels": 1}, "configuration"),
    ],
)
def test_odd_configurations(place: Ground, change: dict[str, object], said: str) -> None:
    files = {f"t/{name}": content for name, content in teacher_files().items()}
    files["t/config.json"] = json.dumps(json.loads(files["t/config.json"]) | change).encode()
    outcome = place.run(Case(("tune", *ROWS, "--teacher", "t", "--method", "ckd"), files))
    assert outcome.ended == "refused", outcome.where
    assert said in outcome.said


def no_such_token() -> bytes:
    """A tokenizer whose template adds a token that it does not define: the backend panics when it is used."""
    described = json.loads(teacher_files()["tokenizer.json"])
    described["post_processor"]["special_tokens"] = {}
    return json.dumps(described).encode()


def weights_of_nothing() -> bytes:
    """Stored tensors in order, every number of them NaN."""
    content = teacher_files()["model.safetensors"]
    start = 8 + struct.unpack("<Q", content[:8])[0]
    return content[:start] + b"\xff" * (len(content) - start)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("tokenizer.json", b"null", "tokenizer cannot be loaded"),
        ("tokenizer.json", no_such_token(), "tokenizer"),
        ("raykd.json", b"", "not readable as JSON"),
        ("raykd.json", b'{"spec": {"task": {}}}', "not as raykd writes it"),
        ("raykd.json", b"[" * 100_000, "not readable as JSON"),
        ("model.safetensors.index.json", b'{"weight_map": []}', "names files that are not there"),
        ("model.safetensors", weights_of_nothing(), "NaN or infinity"),
    ],
)
def test_damaged_models(place: Ground, file: str, content: bytes, said: str) -> None:
    files = {f"t/{name}": sound for name, sound in teacher_files().items()}
    if file.endswith("index.json"):
        del files["t/model.safetensors"]
    outcome = place.run(Case(("evaluate", "t", *ROWS), {**files, f"t/{file}": content}))
    assert outcome.ended == "refused", outcome.where
    assert said in outcome.said
    assert not list(Path(place.root / "case" / "home").glob("**/*.tmp"))
