"""Points of earlier sweeps, read from a real MLflow store that raykd's own tracker has written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from raykd.errors import UserError
from raykd.search.earlier import earlier_points, warmed
from raykd.search.entry import Entry
from raykd.search.proposals import Proposer
from raykd.search.space import Dimension, Space
from raykd.search.spec import SweepSpec
from raykd.tracking.tracker import Conclusion, Tracker
from raykd.train.config import TaskSpec, Training
from tests.search.conftest import report

# MLflow 3.17 and what it is made of use calls that their own dependencies have deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(mlflow|alembic|sqlalchemy|google)")

SPACE = Space(
    "today",
    "",
    "",
    (
        Dimension("method", "choice", ("kd", "ckd")),
        Dimension("epochs", "fixed", (4,)),
        Dimension("learning_rate", "log", (1e-5, 1e-3)),
        Dimension("temperature", "choice", (1, 2.5, 10)),
        Dimension("variant", "choice", ("paper", None, True)),
        Dimension("delta", "int", (10, 15), {"method": ("ckd",)}),
    ),
)


def kd(rate: float, temperature: float = 2.5, **more: Any) -> dict[str, Any]:
    """What a trial was set to."""
    base = {"method": "kd", "epochs": 4, "learning_rate": rate, "temperature": temperature, "variant": "paper"}
    return base | more


def point(rate: float, temperature: float = 2.5, **more: Any) -> dict[str, Any]:
    """The same in the space of today."""
    return {name: value for name, value in kd(rate, temperature, **more).items() if name != "epochs"}


class Book:
    """A sweep's trials: settings with their final score, or with None for one that was stopped."""

    def __init__(self, *trials: tuple[dict[str, Any], float | None]) -> None:
        self.trials = {f"t{number:04d}": trial for number, trial in enumerate(trials)}
        self.trials |= {"baseline": (kd(9e-4), 0.99), "t0000-s1": (kd(8e-4), 0.98)}

    def entry(self, label: str) -> Entry:
        settings, score = self.trials[label]
        state = TrialState.PRUNED if score is None else TrialState.COMPLETE
        return Entry(label, state, 0.97 if score is None else score, 2, settings)

    def reports(self, label: str) -> list[dict[str, Any]]:
        score = self.trials[label][1]
        # The first of two evaluations is the better one: it is not what counts.
        return [report(1, 0.97, of=2)] + ([] if score is None else [report(2, score, of=2)])


def write(uri: str, task: str, name: str, *trials: tuple[dict[str, Any], float | None], end: str = "FINISHED") -> None:
    """A sweep in MLflow."""
    spec = SweepSpec(
        name=name, task=TaskSpec(name=task, labels=("a", "b"), metrics=("accuracy",), primary="accuracy"),
        source="s", fingerprint="f", train="t", dev={}, teacher="t", teacher_name="t", teacher_score=0.9,
        teacher_parameters=1, student="cut:1", origin="t", student_parameters=1, space="kd", method="kd",
        trials=10, training=Training(), concurrency=1, tracking_uri=uri,
    )  # fmt: skip
    book = Book(*trials)
    tracker = Tracker(spec, book, Path(uri.removeprefix("sqlite:///")).parent / "artifacts", lambda _: None)
    for label in book.trials:
        tracker.touch(label)
    assert tracker.conclude(Conclusion(end, {}), 30) == 0


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two sweeps of rte that have ended and one that has not, and three of other tasks."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    outside = [kd(1e-2), kd(1e-4, 3), kd(1e-4, epochs=3), kd(1e-4, method="pkd"), kd(1e-4, method="ckd", delta=16)]
    missing = {name: value for name, value in kd(1e-4).items() if name != "temperature"}
    write(uri, "rte", "old", (kd(1e-5), 0.5), (kd(2e-5, 10.0), 0.7), *((settings, 0.9) for settings in outside))
    write(
        uri, "rte", "new", (kd(3e-5, method="ckd", delta=12), 0.1), (kd(4e-5), 0.2), (kd(5e-5), None), (missing, 0.9),
        (kd(1e-5), 0.05), (kd(6e-5, variant=None), 0.04), (kd(6e-5, variant=True), 0.03),
    )  # fmt: skip
    write(uri, "rte", "killed", (kd(7e-5), 0.95), end="KILLED")
    # 1e-4 is good in two sweeps, 2e-4 and 5e-4 are the best of one; scores of different metrics do not compare.
    write(uri, "cola", "c", (kd(2e-4), 0.3), (kd(1e-4), 0.2), (kd(3e-4), 0.1), (kd(4e-4), 0.05))
    write(uri, "sst2", "s", (kd(5e-4), 0.94), (kd(1e-4), 0.93), (kd(3e-4), 0.9), (kd(4e-4), None))
    return uri


def points(found: list[tuple[dict[str, Any], str]]) -> list[dict[str, Any]]:
    return [one for one, _ in found]


RTE = [  # the newest sweep first: the best of each, the second of each, and so on
    point(4e-5), point(2e-5, 10), point(3e-5, method="ckd", delta=12), point(1e-5),
    point(6e-5, variant=None), point(6e-5, variant=True),
]  # fmt: skip
OTHERS = [  # 1e-4: (2 * 1.5 / 10 + 1 / 2) / 3; the two that were best once: (0.5 / 10 + 1 / 2) / 2, the newer first
    point(1e-4), point(5e-4), point(2e-4), point(3e-4), point(4e-4),
]  # fmt: skip


def test_the_same_task_by_turns_then_others_by_mean_rank(uri: str) -> None:
    found = earlier_points(uri, SPACE, task="rte", most=20)
    assert points(found) == [*RTE, *OTHERS]
    assert found[0][1] == "new/t0001 of task rte, student cut:1: score 0.2"
    assert found[6][1] == "s/t0001 of task sst2, student cut:1: score 0.93"
    assert points(earlier_points(uri, SPACE, task="rte", most=3)) == RTE[:3]


def test_a_task_that_is_new_has_points_of_others_only(uri: str) -> None:
    found = points(earlier_points(uri, SPACE, task="mrpc", most=3))
    assert found[0] == point(1e-4)
    assert found == points(earlier_points(uri, SPACE, task="rte", same_task_first=False, most=3))
    assert {tuple(one) for one in found} == {("method", "learning_rate", "temperature", "variant")}


def test_they_serve_as_start_points(uri: str) -> None:
    start = tuple(points(earlier_points(uri, SPACE, task="rte")))
    proposer = Proposer(replace(SPACE, start=start), sampler="tpe", seed=0)
    for wanted in start:
        proposed = proposer.propose([])
        assert proposed == wanted | {"epochs": 4}
        assert proposed is not None
        proposer.started(proposed)


def test_a_space_is_warmed_after_its_own_start(uri: str) -> None:
    own = {"method": "kd", "learning_rate": 1e-5}
    space = replace(SPACE, start=(own,))
    warm, said = warmed(space, uri, "rte")
    assert warm.start[0] == own
    assert len(warm.start) == 1 + len(said) > 1
    assert all(line.startswith("tried early: ") for line in said)
    again, more = warmed(warm, uri, "rte")
    assert (again.start, more) == (warm.start, ["no earlier sweep has a point of it to try first"])


def test_a_space_that_no_earlier_point_lies_in(uri: str) -> None:
    other = tuple(replace(d, values=(5,)) if d.name == "epochs" else d for d in SPACE.dimensions)
    assert earlier_points(uri, replace(SPACE, dimensions=other), task="rte") == []


def test_what_cannot_be_asked_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "broken.db").write_text("no database at all, and long enough to be sure of it" * 20)
    places = {
        f"sqlite:///{tmp_path / 'none.db'}": "nothing was logged yet, there is no .*none.db",
        f"sqlite:///{tmp_path / 'broken.db'}": "cannot be asked",
        "http://me:secret@127.0.0.1:9": "cannot be asked",
    }
    for uri, words in places.items():
        with pytest.raises(UserError, match=f"^no earlier sweeps to learn from: .*{words}") as refused:
            earlier_points(uri, SPACE, task="rte")
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)
    assert not (tmp_path / "none.db").exists()
