"""Whole sweeps on Ray: what Optuna, MLflow and the disk hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from filelock import FileLock

from raykd.search.journal import Journal
from raykd.search.ledger import Ledger
from raykd.search.space_keep import kept
from raykd.search.spec import SweepSpec
from tests.sweep.conftest import SPACE, Place

pytestmark = pytest.mark.slow

NAN_SPACE = SPACE + "  temperature: {choice: [1.0e-38, 2.0]}\nstart:\n  - {temperature: 1.0e-38}\n"
STATES = """
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
runs = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000)
own = [r for r in runs if r.data.params.get("space") == sys.argv[2] or sys.argv[2] in r.info.run_name]
print(json.dumps([[r.data.tags["raykd.trial"], r.info.status, r.data.tags.get("mlflow.parentRunId"), r.info.run_id,
                   len(client.get_metric_history(r.info.run_id, "score"))] for r in own]))
"""
QUERY = """
import json, sys, warnings, mlflow
warnings.simplefilter("ignore")
sys.modules["raykd"] = None  # the model must load where raykd is not installed
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/raykd-mine@champion")
print(json.dumps(model.predict(["w3 w6 w9 w12 w15 w18", "w1 w2 w4 w5 w7 w8"])))
"""
PLAIN = """
import sys
sys.modules["raykd"] = None
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
print(model(**AutoTokenizer.from_pretrained(sys.argv[1])("w3 w6", return_tensors="pt")).logits.shape[1])
"""


def python(code: str, *arguments: str, place: Place) -> str:
    """The last line that `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=place.environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def mlflow_runs(place: Place, name: str) -> dict[str, list[list[str]]]:
    """Runs of the sweep by trial label; "" is the sweep's own."""
    uri = f"sqlite:///{place.folder / 'runs' / 'mlflow.db'}"
    found: dict[str, list[list[str]]] = {}
    for label, *rest in json.loads(python(STATES, uri, name, place=place)):
        found.setdefault(label, []).append(rest)
    return found


def ledger(place: Place, name: str) -> Ledger:
    folder = place.sweep(name)
    return Ledger(Journal(folder), SweepSpec.read(folder), kept(folder), str(folder / "trials"))


def study(place: Place, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{place.sweep(name) / 'study.db'}")


@pytest.fixture(scope="module")
def finished(place: Place) -> tuple[str, str]:
    """One sweep with a trial that goes NaN; its name and what it printed."""
    (place.folder / "nan.yaml").write_text(NAN_SPACE)
    arguments = [*place.arguments[:-1], "nan.yaml", "--trials", "8", "--name", "whole", "--seed", "3"]
    arguments += ["--grace", "2", "--finalists", "1", "--final-seeds", "2"]
    return "whole", place.run("tune", *arguments)


def test_optuna_holds_the_truth(place: Place, finished: tuple[str, str]) -> None:
    """Stopped is PRUNED with its steps, NaN is FAIL with its reason, the rest COMPLETE with all eight evaluations."""
    trials = study(place, finished[0]).trials
    assert len(trials) == 8
    for trial in trials:
        nan = trial.params["temperature"] == 1e-38
        steps = list(trial.intermediate_values)
        if nan:
            assert trial.state.name == "FAIL"
            assert "NonFiniteLoss: loss is nan at step" in trial.user_attrs["error"]
        elif trial.state.name == "PRUNED":
            assert steps == list(range(1, len(steps) + 1))
            assert 2 <= len(steps) < 8
        else:
            assert trial.state.name == "COMPLETE"
            assert steps == list(range(1, 9))
            assert trial.value == trial.intermediate_values[8]
    assert {trial.state.name for trial in trials} == {"FAIL", "PRUNED", "COMPLETE"}
    assert len({str(trial.params) for trial in trials}) == 8


def test_mlflow_holds_one_run_a_trial(place: Place, finished: tuple[str, str]) -> None:
    runs = mlflow_runs(place, finished[0])
    finals = [f"{name}-s{number}" for name in ("baseline", "kd", finalist(place, finished[0])) for number in (1, 2)]
    assert {label: len(found) for label, found in runs.items()} == dict.fromkeys(
        ["", "baseline", *(f"t{i:04d}" for i in range(8)), *finals], 1
    )
    words = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
    parent = runs[""][0][2]
    for trial in study(place, finished[0]).trials:
        status, above, _, points = runs[f"t{trial.number:04d}"][0]
        assert (status, above, points) == (words[trial.state.name], parent, len(trial.intermediate_values))


def test_the_champion_answers_without_raykd(place: Place, finished: tuple[str, str]) -> None:
    answers = json.loads(python(QUERY, f"sqlite:///{place.folder / 'runs' / 'mlflow.db'}", place=place))
    assert [answer["label"] for answer in answers] == ["yes", "no"]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0)
    assert python(PLAIN, str(place.sweep(finished[0]) / "champion"), place=place) == "2"


def test_what_a_person_sees(place: Place, finished: tuple[str, str]) -> None:
    name, output = finished
    for part in ("teacher", "student, undistilled", "best student", "models:/raykd-mine@champion", "1 fail"):
        assert part in output
    assert "Traceback" not in output
    folder = place.sweep(name)
    assert (folder / "curves.png").stat().st_size > 10_000
    assert len((folder / "trials.csv").read_text().splitlines()) == 1 + 1 + 8 + 6
    assert not list(folder.glob("trials/*/checkpoint-*"))
    best = best_label(place, name)
    kept = sorted(path.parent.name.rpartition("-s")[0] or path.parent.name for path in folder.glob("trials/*/student"))
    assert kept == sorted(
        ["baseline", "baseline", "kd", finalist(place, name), best]
    )  # of each configuration a run of its finals too


def test_what_fresh_seeds_say(place: Place, finished: tuple[str, str]) -> None:
    """The finals' table and verdict; the champion is a run of one of them; the report holds them too."""
    name, output = finished
    for part in ("80 of 800 training rows are held out to select by", "on 2 fresh seeds", "over kd", "report:"):
        assert part in output
    book = ledger(place, name)
    seeds = {label: entry.settings["seed"] for label in book.finals() for entry in book.finals()[label]}
    assert len(book.finals()) == 3
    assert 3 not in seeds.values()
    page = (place.sweep(name) / "report.html").read_text()
    assert best_label(place, name) in page
    assert "fresh seeds" in page


@pytest.mark.long
def test_a_trial_gives_the_same_again(place: Place, finished: tuple[str, str]) -> None:
    """A trial, one that was stopped early, and a final: to the last digit."""
    stopped = next(entry.label for entry in ledger(place, finished[0]).entries() if entry.state.name == "PRUNED")
    for label in (best_label(place, finished[0]), stopped, "kd-s2"):
        assert "the same to the last digit" in place.run("repro", f"{finished[0]}/{label}")


@pytest.mark.long
def test_trials_can_be_added(place: Place) -> None:
    short = ["--finalists", "1", "--final-seeds", "1", "--pruner", "promotion", "--select-on", "dev"]
    output = place.run("tune", *place.arguments, "--trials", "2", *short, "--name", "longer")
    assert "held out to select by" not in output
    place.run("tune", "--task", "custom", "--name", "longer", "--resume", "--extend", "2")
    labels = [entry.label for entry in ledger(place, "longer").entries()]
    assert [label for label in labels if "-" not in label] == ["baseline", "t0000", "t0001", "t0002", "t0003"]
    assert SweepSpec.read(place.sweep("longer")).trials == 4


def test_what_it_will_cost(place: Place) -> None:
    output = place.run("tune", *place.arguments, "--trials", "6", "--dry-run", "--name", "dry")
    assert "estimate: 7 trials and 15 finals, about" in output
    assert "with 2 at once" in output
    assert not place.sweep("dry").exists()


def finalist(place: Place, name: str) -> str:
    """The configuration of the search that ran again: the best one, or the next where that answers as a baseline."""
    (found,) = {*ledger(place, name).finals()} - {"baseline", "kd"}
    return found


def best_label(place: Place, name: str) -> str:
    return f"t{study(place, name).best_trial.number:04d}"


def test_evaluate_and_predict(place: Place, finished: tuple[str, str]) -> None:
    champion = str(place.sweep(finished[0]) / "champion")
    score = json.loads((place.sweep(finished[0]) / "champion" / "raykd.json").read_text())["scores"]["dev/accuracy"]
    data = place.arguments[place.arguments.index("--data") : place.arguments.index("--teacher")]
    assert f"dev/accuracy {score:.4f}" in place.run("evaluate", champion, "--task", "custom", *data)
    texts = place.folder / "texts.txt"
    texts.write_text("w3 w6 w9 w12 w15 w18\nw1 w2 w4 w5 w7 w8\n")
    lines = [json.loads(line) for line in place.run("predict", champion, str(texts)).splitlines()]
    assert [line["label"] for line in lines] == ["yes", "no"]


def test_a_second_driver_is_refused(place: Place, finished: tuple[str, str]) -> None:
    """S15."""
    folder = place.sweep(finished[0])
    with FileLock(folder / "lock"):
        process = place.start("tune", "--task", "custom", "--name", finished[0], "--resume")
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "another process" in output


def test_a_name_that_is_taken_is_refused(place: Place, finished: tuple[str, str]) -> None:
    process = place.start("tune", *place.arguments, "--name", finished[0])
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "--resume" in output


@pytest.mark.long
def test_a_group_of_two_workers(place: Place) -> None:
    """DDP under Ray Train; trials that are stopped end by themselves and give their workers back, so the sweep ends."""
    name = "group"
    group = ["--finalists", "0", "--trials", "2", "--workers-per-trial", "2"]
    output = place.run("tune", *place.arguments, *group, "--name", name)
    trials = study(place, name).trials
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert len(trials) == 2
    assert "best student" in output
    assert max(trial.value or 0 for trial in trials) > 0.7


@pytest.mark.long
def test_a_chain_in_a_group_of_two_workers(place: Place) -> None:
    """The first run of the chain reports nothing, and nobody waits for a report of it."""
    (place.folder / "chain.yaml").write_text(SPACE.replace("method: kd", "method: self_kd"))
    arguments = ["chain.yaml" if argument == "space.yaml" else argument for argument in place.arguments]
    group = ["--finalists", "0", "--trials", "1", "--workers-per-trial", "2"]
    output = place.run("tune", *arguments, *group, "--name", "chain")
    assert [trial.state.name for trial in study(place, "chain").trials] == ["COMPLETE"]
    assert "self_kd" in output
    assert not list(place.sweep("chain").glob("trials/*/link-*"))  # the earlier self is not kept


def test_killed_and_resumed(place: Place) -> None:
    """kill -9 of the driver in mid-sweep, then --resume: same trials, none twice, one MLflow run each."""
    name = "killed"
    brief = ["--finalists", "1", "--final-seeds", "1", "--trials", "6", "--concurrency", "1"]
    process = place.start("tune", *place.arguments, *brief, "--name", name)
    folder = place.sweep(name)
    end = time.monotonic() + 120
    journal = folder / "journal" / "000001.jsonl"
    while not journal.is_file() or '"event": "report", "trial": "t0001"' not in journal.read_text():
        assert time.monotonic() < end, "the third trial did not start"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    book = ledger(place, name)
    before = {int(e.label[1:]): (e.state.name, book.frozen(e.label).params) for e in book.entries()[1:]}
    assert "RUNNING" in {state for state, _ in before.values()}

    place.run("tune", "--task", "custom", "--name", name, "--resume")
    after = {trial.number: (trial.state.name, trial.params) for trial in study(place, name).trials}
    labels = [trial.user_attrs["label"] for trial in study(place, name).trials]
    assert labels == [f"t{number:04d}" for number in range(6)]
    assert sorted(after) == list(range(6))
    assert all(params == after[number][1] for number, (_, params) in before.items())
    assert all(after[number][0] == state for number, (state, _) in before.items() if state != "RUNNING")
    assert {state for state, _ in after.values()} <= {"COMPLETE", "PRUNED"}
    runs = mlflow_runs(place, name)
    assert {len(found) for found in runs.values()} == {1}
    assert len(runs) == 1 + 1 + 6 + 3
    for trial in study(place, name).trials:
        assert runs[f"t{trial.number:04d}"][0][3] == len(trial.intermediate_values)

    straight = place.run("tune", *place.arguments, *brief, "--name", "straight")
    assert "best student" in straight
    values = {trial.number: trial.params for trial in study(place, "straight").trials}
    assert values == {number: params for number, (_, params) in after.items()}


def test_paths(place: Place) -> None:
    assert Path(place.folder / "runs" / "mlflow.db").is_file()
    assert not Path(place.folder / "mlruns").exists()
