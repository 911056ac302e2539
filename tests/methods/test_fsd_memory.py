"""The memories of FSD_G: what they are clustered from, how large they are, when two trials share one."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raykd.knowledge.teacher import live_teacher
from raykd.losses.clustering import draw_rows, kmeans, published_memory
from raykd.methods import METHODS
from raykd.methods.fsd_memory import SEED, TEACHER_MEMORY, TOLERANCE, Clustering, student_memory, teacher_memory
from raykd.methods.recipe import Scene, Vocabulary
from raykd.methods.seen import Need, Seen
from raykd.seeds import derive_seed
from raykd.tasks.encode import Batch
from raykd.train.loop import Report, distill
from raykd.train.scene import Around
from tests.methods.steps import pair
from tests.train.conftest import classes  # noqa: F401  a fixture
from tests.train.setting import TRAINING, Setting, same, weights

ROWS, LENGTH, WIDE, NARROW = 11, 6, 8, 5
KMEANS = Clustering(layer=3, kind="kmeans", centroids=4, epochs=3, masked=True)


@dataclass
class Split:
    """Rows in batches of 3, each padded to its longest, and a teacher that answers with random states."""

    padding: float = 0.0
    passes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(2)
        self.states = torch.randn(ROWS, LENGTH, WIDE, generator=generator)
        self.lengths = torch.randint(2, LENGTH, (ROWS,), generator=generator)
        self.lengths[5] = LENGTH

    def survey(self, name: str, needs: Set[Need]) -> Iterator[tuple[Batch, Seen]]:
        assert (name, needs) == ("train", {Need("hidden", 3)})
        self.passes.append(0)
        for start in range(0, ROWS, 3):
            rows = torch.arange(start, min(start + 3, ROWS))
            longest = int(self.lengths[rows].max())
            mask = (torch.arange(longest) < self.lengths[rows, None]).long()
            states = torch.where(mask[:, :, None] == 1, self.states[rows, :longest], self.padding)
            self.passes[-1] += len(rows)
            yield Batch(mask, mask, None, rows, rows), Seen({Need("hidden", 3): states})

    @property
    def scene(self) -> Scene:
        networks = pair(4, 2, hidden=(WIDE, NARROW))
        return Scene(networks, ROWS, LENGTH, Vocabulary(9, 0, None, ()), Path(), None, self.survey)

    @property
    def features(self) -> Tensor:
        """[ROWS, LENGTH * WIDE], padding zero."""
        mask = torch.arange(LENGTH) < self.lengths[:, None]
        return (self.states * mask[:, :, None]).flatten(1)


def memory(clustering: Clustering, split: Split) -> Tensor:
    return teacher_memory(clustering).make(split.scene)[TEACHER_MEMORY]


def test_k_means_of_all_features() -> None:
    split = Split()
    start = draw_rows(split.features.split(3), 4, torch.Generator().manual_seed(derive_seed(SEED, "fsd centroids")))
    expected = kmeans(lambda: [split.features], start, 3, TOLERANCE).centroids
    found = memory(KMEANS, split)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert split.passes == [ROWS] * len(split.passes)
    assert 2 <= len(split.passes) <= 4  # one to draw, three at most to move


def test_the_published_procedure_takes_rows_one_by_one() -> None:
    split = Split()
    clustering = replace(KMEANS, kind="published")
    found = memory(clustering, split)
    deviation = (split.features[-1].var() / ROWS).sqrt()
    drawn = torch.randn(4, LENGTH * WIDE, generator=torch.Generator().manual_seed(derive_seed(SEED, "fsd centroids")))
    drawn = drawn * deviation + split.features[-1].mean() / ROWS
    chosen = torch.cdist(split.features, drawn).argmin(dim=1)
    expected = torch.zeros(4, LENGTH * WIDE)
    for row, number in enumerate(chosen.tolist()):
        expected[number] = (expected[number] + split.features[row]) / 2
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found, published_memory(lambda: split.features.split(1), drawn, 3).centroids)


@pytest.mark.parametrize("kind", ["kmeans", "published"])
def test_padding_counts_only_where_it_is_not_masked(kind: str) -> None:
    masked = Clustering(3, kind, 4, 3, masked=True)  # type: ignore[arg-type]
    torch.testing.assert_close(memory(masked, Split(padding=50.0)), memory(masked, Split()))
    counted = replace(masked, masked=False)
    assert not torch.allclose(memory(counted, Split(padding=50.0)), memory(counted, Split()))


@pytest.mark.parametrize("kind", ["kmeans", "published"])
@pytest.mark.parametrize(("wanted", "made"), [(1, 1), (4, 4), (ROWS, ROWS), (100, ROWS)])
def test_as_many_centroids_as_rows_at_most(kind: str, wanted: int, made: int) -> None:
    split, clustering = Split(), Clustering(3, kind, wanted, 3, masked=True)  # type: ignore[arg-type]
    teacher, student = memory(clustering, split), student_memory(clustering)(split.scene)
    assert teacher.shape == (made, LENGTH * WIDE)
    assert student().shape == (made, LENGTH * NARROW)
    assert torch.isfinite(teacher).all()


def test_it_draws_nothing_from_the_runs_generator() -> None:
    for kind in ("kmeans", "published"):
        torch.manual_seed(1)
        memory(replace(KMEANS, kind=kind), Split())
        drawn = torch.rand(3)
        torch.manual_seed(1)
        assert torch.equal(torch.rand(3), drawn)


def test_a_memory_is_shared_by_what_it_depends_on() -> None:
    others = [
        {"layer": 2},
        {"kind": "published"},
        {"centroids": 5},
        {"epochs": 4},
        {"masked": False},
    ]
    keys = {teacher_memory(replace(KMEANS, **other)).key for other in others}  # type: ignore[arg-type]
    assert len(keys | {teacher_memory(KMEANS).key}) == len(others) + 1
    recipes = [
        METHODS[name].recipe(METHODS[name].parameters.model_validate({"structure_weight": weight}), pair(4, 2))
        for name, weight in (("fsd_g", 1.0), ("fsd_g", 2.0), ("fsd", 1.0), ("fsd_ig", 0.1))
    ]
    assert len({recipe.facts[0].key for recipe in recipes}) == 1


def test_the_students_memory_starts_narrow_with_masks_and_wide_in_the_code() -> None:
    scene = Split().scene
    for masked, spread in ((True, 0.02), (False, 1.0)):
        torch.manual_seed(0)
        start = student_memory(Clustering(3, "kmeans", 11, 3, masked=masked))(scene)()
        assert start.requires_grad
        assert start.std().item() == pytest.approx(spread, rel=0.15)


def test_a_run_learns_and_is_the_same_from_a_kept_memory(
    classes: Setting,  # noqa: F811
    tmp_path: Path,
) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    recipe = classes.recipe("fsd", centroids=8, structure_weight=1.0)
    training = TRAINING.model_copy(update={"epochs": 4.0})
    finished = []
    for number in range(2):
        student = classes.student()
        reports: list[Report] = []

        def keep_report(done: Report, kept: list[Report] = reports) -> bool:
            kept.append(done)
            return True

        distill(
            student,
            recipe,
            classes.split("train"),
            {"dev": classes.split("dev")},
            classes.task,
            training,
            tmp_path / str(number),
            keep_report,
            teacher=live_teacher(classes.teacher()),
            around=Around(keep=keep, teacher="one"),
            device=torch.device("cpu"),
        )
        for term in ("loss", "soft", "local", "distance", "cosine", "memory"):
            assert reports[-1].metrics[f"train/{term}"] < reports[0].metrics[f"train/{term}"], term
        finished.append(weights(student))
        assert len(list(keep.glob("fact-*.safetensors"))) == 1
    assert same(*finished)
