"""What of a space can serve a pair of networks, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from raykd.errors import UserError
from raykd.methods.method import Answers, Pair
from raykd.models.classifier import Head
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer
from raykd.models.shape import Shape
from raykd.search.choose import choose
from raykd.search.preflight import suitable
from raykd.search.space import Space, load, shipped
from raykd.search.space_keep import keep, kept


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of 4 layers, 32 wide."""
    folder = tmp_path_factory.mktemp("origin") / "encoder"
    tokenizer = word_tokenizer(["a", "b"])
    with quiet():
        save_student(
            scratch_classifier(tokenizer, Head(("no", "yes")), layers=4, hidden=32, heads=4, seed=1), tokenizer, folder
        )
    return folder


def pair(layers: int = 2, hidden: int = 32, heads: int = 4, answers: Answers = "classes") -> Pair:
    return Pair(Shape(4, 32, 4, 40), Shape(layers, hidden, heads, 40), answers)


def values(space: Space, name: str) -> tuple[object, ...]:
    return next(dimension.values for dimension in space.dimensions if dimension.name == name)


def test_what_fits_is_left_as_it_is(origin: Path) -> None:
    space = load("ckd")
    assert suitable(space, pair(), origin) == (space, [])


def test_a_method_that_does_not_fit_is_refused_by_name_and_range(origin: Path) -> None:
    with pytest.raises(UserError, match=r"method 'pkd': hidden width: the student has 16, the teacher 32"):
        suitable(load("pkd"), pair(hidden=16), origin)


def test_of_several_methods_the_unfit_are_left_out_and_named(origin: Path, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "about: two\nmethod: {choice: [kd, pkd]}\nstart:\n  - {method: pkd}\n  - {method: kd}\n"
        "parameters:\n  alpha: {choice: [0.2, 0.5]}\n  beta: {fixed: 10, when: {method: [pkd]}}\n"
    )
    space, notes = suitable(load(str(file)), pair(hidden=16), origin)
    assert values(space, "method") == ("kd",)
    assert [point["method"] for point in space.start] == ["kd"]
    assert len(notes) == 1
    assert notes[0].startswith("left out: method 'pkd': hidden width")


def test_of_several_values_the_unfit_are_left_out(origin: Path) -> None:
    space, notes = suitable(load("ckd_combinatorial"), pair(), origin)
    assert "cross" not in values(space, "combination")
    assert "regular" in values(space, "combination")
    assert any("combination cross" in note for note in notes)


def test_a_task_that_a_method_cannot_learn(origin: Path) -> None:
    with pytest.raises(UserError, match="method 'annealing_kd': it learns classes, number"):
        suitable(load("annealing_kd"), pair(answers="span"), origin)


def test_assistants_are_looked_at(origin: Path) -> None:
    with pytest.raises(UserError, match="'takd'"):
        suitable(load("takd"), pair(layers=3), origin)  # no depth between 3 and 4


@pytest.mark.parametrize("name", shipped())
def test_a_kept_space_is_the_same(name: str, tmp_path: Path) -> None:
    keep(load(name), tmp_path)
    assert kept(tmp_path) == load(name)


def test_on_the_sample_a_method_learns_at_its_rates() -> None:
    space = choose(None, "tkd", sample=True, pinned={})
    own = load("sample")
    assert values(space, "learning_rate") == values(own, "learning_rate")
    assert values(space, "epochs") == values(own, "epochs")
    assert values(space, "gamma") == values(load("tkd"), "gamma")
    assert all("learning_rate" not in point for point in space.start)


def write(folder: Path, text: str) -> str:
    (folder / "own.yaml").write_text(text)
    return str(folder / "own.yaml")


def test_a_method_is_served_by_whichever_value_fits(origin: Path, tmp_path: Path) -> None:
    text = "about: heads\nmethod: minilmv2\nparameters:\n  relation_heads: {choice: [48, 8, 4]}\n"
    space, notes = suitable(load(write(tmp_path, text)), pair(hidden=24), origin)
    assert values(space, "relation_heads") == (8, 4)
    assert len(notes) == 1
    assert "relation_heads 48" in notes[0]


def test_a_value_that_one_of_two_methods_can_use_stays(origin: Path, tmp_path: Path) -> None:
    text = (
        "about: two\nmethod: {choice: [minilmv2, kd, tkd]}\n"
        "parameters:\n  temperature: {choice: [1, 2], when: {method: [kd, tkd]}}\n"
        "  relation_heads: {choice: [5], when: {method: [minilmv2]}}\n"
    )
    space, notes = suitable(load(write(tmp_path, text)), pair(hidden=16), origin)
    assert values(space, "method") == ("kd",)  # no head count of 5, no equal widths
    assert values(space, "temperature") == (1, 2)
    assert len(notes) == 2


def test_an_architecture_that_cannot_be_looked_into(origin: Path) -> None:
    blind = Pair(Shape(4, 32, 4, 40, visible=False), Shape(2, 32, 4, 40), "classes")
    with pytest.raises(UserError, match="asks for relation of the teacher, whose architecture"):
        suitable(load("minilmv2"), blind, origin)
    assert suitable(load("ckd"), blind, origin)[1] == []
    still = Pair(Shape(4, 32, 4, 40), Shape(2, 32, 4, 40, visible=False), "classes")
    with pytest.raises(UserError, match="perturbed embeddings of the student"):
        suitable(load("lrc_bert"), still, origin)
