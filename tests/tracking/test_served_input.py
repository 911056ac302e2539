"""What a registered student reads and what it refuses, as whoever loads it from MLflow or asks MLflow's server does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raykd.models.quiet import quiet
from raykd.tracking.register import register
from raykd.tracking.signature import columns_of, example_of, signature_of
from raykd.train.config import TaskSpec
from tests.tracking.test_served import TASKS, student

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, about its own type hints and requirements

PAIR = TASKS["classes"].model_copy(update={"texts": ("premise", "hypothesis")})
ONE = TASKS["number"].model_copy(update={"texts": ("title",)})


def registered(task: TaskSpec, folder: Path) -> tuple[Any, str]:
    """A random student, as MLflow loads it; and the database that holds it."""
    import mlflow

    folder.mkdir()
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri)
    run = client.create_run(client.create_experiment("e", (folder / "artifacts").as_uri())).info.run_id
    made = student(task, folder / "student")
    model = register(made, name="m", run_id=run, tracking_uri=uri, tags={"raykd.trial": "t0"}, task=task)
    with quiet():
        return mlflow.pyfunc.load_model(model), uri


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model that reads premise and hypothesis."""
    return registered(PAIR, tmp_path_factory.mktemp("pair") / "home")[0]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model that reads a title."""
    return registered(ONE, tmp_path_factory.mktemp("one") / "home")[0]


ROWS = [("a b", "c d e"), ("c", "a b"), ("f g", "h")]
RECORDS = [{"premise": first, "hypothesis": second} for first, second in ROWS]
COLUMNS = {"premise": [first for first, _ in ROWS], "hypothesis": [second for _, second in ROWS]}


def test_the_signature_names_columns_and_answers(pair: Any, one: Any) -> None:
    signature = pair.metadata.signature
    assert [(column.name, str(column.type)) for column in signature.inputs] == [
        ("premise", "DataType.string"), ("hypothesis", "DataType.string"),
    ]  # fmt: skip
    assert signature.outputs.input_names() == ["label", "score", "probabilities"]
    assert pair.input_example == example_of(PAIR)
    assert one.metadata.signature.inputs.input_names() == ["title"]
    assert one.metadata.signature.outputs.input_names() == ["label", "score"]
    assert columns_of(TASKS["span"]) == ("question", "context")
    unknown = PAIR.model_copy(update={"texts": ()})  # of a card that does not say
    assert (signature_of(unknown), example_of(unknown)) == (None, None)


@pytest.mark.parametrize("given", [
    ROWS, [list(row) for row in ROWS], np.array(ROWS), RECORDS, COLUMNS, {k: np.array(v) for k, v in COLUMNS.items()},
    pd.DataFrame(RECORDS), pd.DataFrame(RECORDS)[["hypothesis", "premise"]], pd.DataFrame(ROWS),
    pd.DataFrame(RECORDS).assign(label=[0, 1, 0]), pd.DataFrame(RECORDS, index=[7, 3, 5]),
    [dict(reversed(record.items())) for record in RECORDS], pd.DataFrame(ROWS, dtype="string"),
], ids=str)  # fmt: skip
def test_pairs_in_every_form_are_answered_alike(pair: Any, given: Any) -> None:
    wanted = pair.predict(ROWS)
    assert len(wanted) == 3
    assert len({answer["score"] for answer in wanted}) > 1
    assert pair.predict(given) == wanted


@pytest.mark.parametrize(
    "given",
    [
        ["a b", "c"], ("a b", "c"), np.array(["a b", "c"]), pd.Series(["a b", "c"]), [["a b"], ["c"]],
        [{"title": "a b"}, {"title": "c"}], {"title": ["a b", "c"]}, pd.DataFrame({"title": ["a b", "c"]}),
        pd.DataFrame([["a b"], ["c"]]), pd.DataFrame({"id": [1, 2], "title": ["a b", "c"]}),
    ], ids=str,
)  # fmt: skip
def test_single_texts_in_every_form_are_answered_alike(one: Any, given: Any) -> None:
    wanted = [one.predict([text])[0]["score"] for text in ("a b", "c")]
    assert [answer["score"] for answer in one.predict(given)] == pytest.approx(wanted)
    assert one.predict("c")[0]["score"] == pytest.approx(wanted[1])
    assert one.predict({"title": "c"})[0]["score"] == pytest.approx(wanted[1])


REFUSED: list[tuple[str, Any, str]] = [
    ("one", [3], "row 0: 3 is a number, not a text"),
    ("one", {"title": [3, "a"]}, "row 0, column 'title': 3 is a number, not a text"),
    ("one", [{"title": True}], "True is no text"),
    ("one", pd.DataFrame({"title": [1.5, 2.5]}), r"row 0.*1.5 is a number.*row 1.*2.5"),
    ("one", pd.DataFrame({"title": ["a", None]}), "row 1, column 'title': no text is there"),
    ("one", [{"title": None}], "no text is there"),
    ("one", pd.DataFrame({"title": ["a", float("nan")]}), "row 1.*no text is there"),
    ("one", pd.DataFrame({"title": pd.array(["a", None], dtype="string")}), "row 1.*no text is there"),
    ("one", [{"title": b"a"}], "bytes, not a text"),
    ("one", [["a", "b"]], "1 of 1 rows have another number of texts, as row 0 has 2"),
    ("one", pd.DataFrame([["a", "b"]]), "as row 0 has 2"),
    ("one", pd.DataFrame({"text": ["a"]}), "missing columns: 'title'; given: 'text'"),
    ("one", {}, "missing columns: 'title'; given: none"),
    ("one", [], "there are no rows"),
    ("one", {"title": []}, "there are no rows"),
    ("one", pd.DataFrame({"title": []}), "there are no rows"),
    ("one", ["a", "  "], "row 1, column 'title': a blank text"),
    ("one", None, "None is no table"),
    ("one", 3, "3 is no table"),
    ("one", np.array([1, 2]), "row 0: 1 is a number"),
    ("one", np.zeros((2, 2)), "rows have another number of texts"),
    ("one", [{"title": ["a"]}], r"\['a'\] is no text"),
    ("one", ["a"] * 9 + [""] * 9, r"and 4 more"),
    ("one", {"title": 3}, "title: 3 is a number"),
    ("pair", ["a", "b"], "2 of 2 rows have another number of texts, as row 0 has 1"),
    ("pair", [("a", "b"), ("c",)], "1 of 2 rows have another number of texts, as row 1 has 1"),
    ("pair", [("a", "b", "c")], "as row 0 has 3"),
    ("pair", [("a", 3)], "row 0, column 'hypothesis': 3 is a number"),
    ("pair", [("a", None)], "row 0, column 'hypothesis': no text is there"),
    ("pair", {"premise": ["a", "b"], "hypothesis": ["c"]}, "columns of 2, 1 rows"),
    ("pair", {"premise": ["a"]}, "missing columns: 'hypothesis'"),
    ("pair", [{"premise": "a", "hypothesis": "b"}, {"premise": "c"}], "row 1 has the columns 'premise'"),
    ("pair", pd.DataFrame({"one": ["a"], "other": ["b"]}), "missing columns: 'premise', 'hypothesis'"),
    ("pair", pd.DataFrame([["a", "b"]], columns=["premise", "premise"]), "two columns of one name"),
    ("pair", [{"premise": "a", "hypothesis": "b"}, 3], "row 0: .* is no text"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "given", "says"), REFUSED, ids=[str(case[1])[:40] for case in REFUSED])
def test_what_does_not_fit_is_refused_in_words(
    request: pytest.FixtureRequest, which: str, given: Any, says: str
) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=says) as refused:
        request.getfixturevalue(which).predict(given)
    assert refused.value.get_http_status_code() == 400
    reads = "'title'" if which == "one" else "'premise', 'hypothesis'"
    assert f"in the columns {reads}" in str(refused.value)


def ask(model: Any, body: str, kind: str = "application/json") -> Any:
    """What MLflow's server would answer, by the very function that it calls."""
    from mlflow.pyfunc import scoring_server

    said = scoring_server.invocations(body.encode(), kind, model, model.metadata.get_input_schema())
    assert said.status == 200, said.response
    return json.loads(said.response)["predictions"]


def test_a_server_reads_json_and_csv(pair: Any, one: Any) -> None:
    wanted = pair.predict(ROWS)
    for given in (ROWS, RECORDS, COLUMNS):
        assert ask(pair, json.dumps({"inputs": given})) == wanted
    assert ask(pair, pd.DataFrame(RECORDS).to_csv(index=False), "text/csv") == wanted
    assert ask(one, json.dumps({"inputs": ["a b"]})) == one.predict(["a b"])
    assert ask(one, json.dumps({"inputs": example_of(ONE)})) == one.predict(["a title", "another title"])


@pytest.mark.parametrize(("body", "kind", "says"), [
    ('{"inputs": [3]}', "application/json", "3 is a number, not a text"),
    ('{"inputs": [null]}', "application/json", "no text is there"),
    ('{"inputs": []}', "application/json", "there are no rows"),
    ('{"inputs": {"title": [3]}}', "application/json", "3 is a number, not a text"),
    ('{"inputs": {"text": ["a"]}}', "application/json", "missing columns: 'title'"),
    ('{"dataframe_split": {"columns": ["title"], "data": [[3]]}}', "application/json", "'inputs' key"),
    ("[3]", "application/json", "JSON dictionary"),
    ("title\n\"\"\na\n", "text/csv", "row 0, column 'title': no text is there"),
    ("text\na\n", "text/csv", "missing columns: 'title'"),
])  # fmt: skip
def test_a_server_refuses_with_status_400(one: Any, body: str, kind: str, says: str) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=says) as refused:
        ask(one, body, kind)
    assert refused.value.get_http_status_code() == 400


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server as `mlflow models serve` starts it."""
    uri = registered(ONE, tmp_path / "home")[1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tools = str(Path(sys.executable).parent)  # MLflow looks for its server's command there
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    line = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/m@champion", "--env-manager", "local"]
    log = tmp_path / "log"
    with log.open("w") as file:
        served = subprocess.Popen([*line, "-p", str(port)], env=environment, stdout=file, stderr=file, cwd=tmp_path)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert served.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        served.terminate()
        served.wait(30)


@pytest.mark.slow
def test_a_real_server_refuses_a_number(address: str) -> None:
    def post(body: object) -> tuple[int, Any]:
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{address}/invocations", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as said:
                return said.status, json.load(said)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    status, said = post({"inputs": ["a b", "c"]})
    assert status == 200
    assert len(said["predictions"]) == 2
    status, said = post({"inputs": [3]})
    assert status == 400
    assert "row 0: 3 is a number, not a text" in said["message"]
