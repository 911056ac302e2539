"""Descriptions of students: what is understood, which layers are meant, what is refused and why."""

from __future__ import annotations

import pytest
from transformers import AlbertConfig, BertConfig, MobileBertConfig, ModernBertConfig

from raykd.errors import UserError
from raykd.models.spec import Build, Cut, Given, StudentSpec, check_student, parse_student, picked_layers

TEACHER = BertConfig(num_hidden_layers=6, hidden_size=48, num_attention_heads=12)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("cut:3", Cut(3)),
        ("cut:3:first", Cut(3, "first")),
        ("cut:3:last", Cut(3, "last")),
        ("cut:2,4,6", Cut(3, picked=(2, 4, 6))),
        ("build:4/312/12", Build(4, 312, 12, 1248)),
        ("build:4/312/12/1200", Build(4, 312, 12, 1200)),
        ("distilbert-base-uncased", Given("distilbert-base-uncased")),
        ("./my/student", Given("./my/student")),
        ("cutter/build-model", Given("cutter/build-model")),
        (" cut:3 ", Cut(3)),
        (r"C:\models\mine", Given(r"C:\models\mine")),
    ],
)
def test_descriptions_are_read_and_written(text: str, spec: StudentSpec) -> None:
    assert parse_student(text) == spec
    assert parse_student(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    ["", "cut", "build", "cut:", "cut:x", "cut:-1", "cut:2.5", "cut:3:middle", "cut:2,,4", "build:4/312", "bild:4/5/6"],
)
def test_nonsense_is_answered_with_the_allowed_forms(text: str) -> None:
    with pytest.raises(UserError, match=r"allowed: 'cut:3'.*'build:4/312/12'"):
        parse_student(text)


@pytest.mark.parametrize(
    ("text", "layers", "picked"),
    [
        ("cut:3", 6, (2, 4, 6)),
        ("cut:4", 12, (3, 6, 9, 12)),
        ("cut:6", 12, (2, 4, 6, 8, 10, 12)),
        ("cut:4", 6, (2, 3, 5, 6)),
        ("cut:5", 12, (3, 5, 8, 10, 12)),
        ("cut:1", 6, (6,)),
        ("cut:6", 6, (1, 2, 3, 4, 5, 6)),
        ("cut:2:first", 6, (1, 2)),
        ("cut:2:last", 6, (5, 6)),
        ("cut:1,6", 6, (1, 6)),
    ],
)
def test_the_layers_a_cut_keeps(text: str, layers: int, picked: tuple[int, ...]) -> None:
    spec = parse_student(text)
    assert isinstance(spec, Cut)
    assert picked_layers(spec, layers) == picked


def test_a_spread_never_takes_a_layer_twice_and_ends_in_the_last() -> None:
    for layers in range(1, 30):
        for kept in range(1, layers + 1):
            picked = picked_layers(Cut(kept), layers)
            assert len(set(picked)) == kept
            assert list(picked) == sorted(picked)
            assert (picked[0] >= 1, picked[-1]) == (True, layers)


@pytest.mark.parametrize("text", ["cut:3", "cut:6", "cut:1,6", "build:4/48/12", "build:1/8/1/1", "anything/at-all"])
def test_possible_students_pass(text: str) -> None:
    check_student(parse_student(text), TEACHER)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("cut:9", ["9 layers of a teacher with 6: give 1 to 6"]),
        ("cut:0", ["0 layers of a teacher with 6: give 1 to 6"]),
        ("cut:7:last", ["7 layers of a teacher with 6: give 1 to 6"]),
        ("cut:2,9", ["no layer 9: its layers are 1 to 6"]),
        ("cut:0,3", ["no layer 0: its layers are 1 to 6"]),
        ("cut:2,2", ["each layer once, in ascending order"]),
        ("cut:4,2", ["each layer once, in ascending order"]),
        ("cut:8,3,0", ["no layer 8, 0", "ascending"]),
        ("build:4/310/12", ["310 is no multiple of 12 heads: nearest 300 or 312"]),
        ("build:2/5/8", ["5 is no multiple of 8 heads: nearest 8"]),
        ("build:0/0/0/0", ["layers must be", "hidden width must be", "heads must be", "intermediate width must be"]),
    ],
)
def test_impossible_students_are_refused_with_the_range(text: str, problems: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        check_student(parse_student(text), TEACHER)
    assert len(caught.value.problems) == len(problems)
    for found, expected in zip(caught.value.problems, problems, strict=True):
        assert found.startswith(f"student '{parse_student(text)}': ")
        assert expected in found


def test_architectures_that_cannot_be_built_or_cut_are_named() -> None:
    with pytest.raises(UserError, match="cannot build a mobilebert model from sizes"):
        check_student(parse_student("build:4/48/12"), MobileBertConfig())
    with pytest.raises(UserError, match="cannot build a albert model"):
        check_student(parse_student("build:4/48/12"), AlbertConfig())
    with pytest.raises(UserError, match="a modernbert model cannot be cut, as its layers are not alike: name"):
        check_student(parse_student("cut:2"), ModernBertConfig())
