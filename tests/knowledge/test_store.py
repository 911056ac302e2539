"""Answers from disk are the answers that were given, padded as the batch is, to any number of processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raykd.knowledge.shards import Damaged, Part
from raykd.knowledge.store import Knowledge
from raykd.methods.seen import LOGITS, Need
from raykd.tasks.encoded import Encoded
from tests.knowledge.made import LENGTHS, NEEDS, Made, fill, split

BAND = Need("word_distances", 3, reach=4)


@pytest.fixture(scope="module", params=["right", "left", "spans"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    return Made(folder, pad_left=request.param == "left", spans=request.param == "spans")


@pytest.fixture
def own(tmp_path: Path) -> Made:
    """One to do harm to."""
    return Made(tmp_path)


@given(rows=st.lists(st.integers(0, len(LENGTHS) - 1), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_batch(made: Made, rows: list[int]) -> None:
    made.check(rows)


def test_only_what_is_asked_for(made: Made) -> None:
    batch = made.split.batch([1, 5])
    assert set(made.knowledge.answer(batch, {BAND, LOGITS}).answers) == {BAND, LOGITS}
    assert made.knowledge.answer(batch, set()).answers == {}


def test_a_band_serves_shorter_reaches_and_nothing_else(made: Made) -> None:
    batch = made.split.batch([0, 2, 8])
    whole = made.knowledge.answer(batch, {BAND}).answers[BAND]
    for reach in (1, 3):
        shorter = replace(BAND, reach=reach)
        assert made.knowledge.has(shorter)
        found = made.knowledge.answer(batch, {shorter}).answers[shorter]
        assert torch.equal(found, whole[..., :reach])
    for other in (replace(BAND, reach=5), replace(BAND, layer=4), replace(BAND, padding=True), Need("hidden", 1)):
        assert not made.knowledge.has(other)
        with pytest.raises(KeyError, match="is not stored"):
            made.knowledge.answer(batch, {other})


def test_an_answer_is_the_caller_s_own(own: Made) -> None:
    batch = own.split.batch(range(len(LENGTHS)))
    for values in own.knowledge.answer(batch, set(NEEDS)).answers.values():
        values.fill_(7.0)
    own.check(range(len(LENGTHS)))
    assert all(part.verify() == [] for part in own.parts.values())


def test_damage_is_named_on_opening_and_the_rest_serves(own: Made) -> None:
    cut, absent, gone = (own.parts[need] for need in NEEDS[:3])
    cut.file(1).write_bytes(cut.file(1).read_bytes()[:-1])
    absent.discard(2)
    (gone.folder / "about.json").unlink()
    knowledge = Knowledge(own.knowledge.folders, own.split)
    found = [(damage.part, damage.shard) for damage in knowledge.damaged]
    assert found == [(cut.folder.name, 1), (absent.folder.name, 2), (gone.folder.name, None)]
    assert "expected" in knowledge.damaged[0].why
    assert [need for need in NEEDS if knowledge.has(need)] == NEEDS[3:]
    assert own.knowledge.damaged == []


def test_damage_since_opening_is_named(own: Made) -> None:
    batch = own.split.batch([4])
    own.parts[LOGITS].discard(1)
    with pytest.raises(Damaged, match=f"{own.parts[LOGITS].folder.name}, shard 1") as raised:
        own.knowledge.answer(batch, {LOGITS})
    assert raised.value.shard == 1
    assert pickle.loads(pickle.dumps(raised.value)).why == raised.value.why


def test_what_does_not_belong_together_is_refused(own: Made, tmp_path: Path) -> None:
    stranger = fill(replace(own.library, teacher="another"), LOGITS, own.split)
    with pytest.raises(ValueError, match="several teachers"):
        Knowledge([*own.knowledge.folders[1:], stranger.folder], own.split)
    other = split(tmp_path / "other", LENGTHS[::-1], key="other")
    with pytest.raises(ValueError, match="another split than other"):
        Knowledge(own.knowledge.folders, other)
    with pytest.raises(ValueError, match="other lengths"):
        own.knowledge.answer(other.batch([0]), {LOGITS})


def test_opening_says_that_it_was_used(own: Made) -> None:
    about = own.parts[LOGITS].folder / "about.json"
    os.utime(about, (0, 0))
    Knowledge([own.parts[LOGITS].folder], own.split)
    assert about.stat().st_mtime > 1e9
    Part.open(own.parts[LOGITS].folder)  # its content is as it was


READ = """
import pickle, sys
import torch
torch.set_num_threads(1)
knowledge, needs = pickle.load(sys.stdin.buffer)
total = 0.0
for _ in range(20):
    for row in range(len(knowledge.split)):
        seen = knowledge.answer(knowledge.split.batch([row, 0]), needs)
        total += sum(values.double().sum().item() for values in seen.answers.values())
print(repr(total))
"""


def test_two_processes_read_at_once(own: Made) -> None:
    total = 0.0
    for row in range(len(LENGTHS)):
        seen = own.knowledge.answer(own.split.batch([row, 0]), {BAND, LOGITS})
        total += sum(values.double().sum().item() for values in seen.answers.values())
    carried = pickle.dumps((own.knowledge, {BAND, LOGITS}))
    assert len(carried) < 4096
    readers = [
        subprocess.Popen([sys.executable, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write(carried)
        reader.stdin.flush()
    said = [float(reader.communicate()[0]) for reader in readers]
    assert said == [pytest.approx(20 * total)] * 2


def test_a_split_pickles_with_it(own: Made) -> None:
    again = pickle.loads(pickle.dumps(own.knowledge))
    assert isinstance(again.split, Encoded)
    batch = own.split.batch([8, 1])
    for need in NEEDS:
        one, two = (store.answer(batch, {need}).answers[need] for store in (own.knowledge, again))
        assert torch.equal(one, two)
