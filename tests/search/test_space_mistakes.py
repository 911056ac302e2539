"""Search spaces with mistakes in them: everything that is wrong is said at once, and nothing else ever escapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from raykd.errors import UserError
from raykd.methods import ckd, kd, none
from raykd.search.space import Space, check, load
from raykd.search.space_check import misfits
from raykd.search.space_parse import parse
from raykd.train.config import Training

FIELDS: dict[str, dict[str, FieldInfo]] = {
    method.name: {**Training.model_fields, **method.parameters.model_fields}
    for method in (none.METHOD, kd.METHOD, ckd.METHOD)
}


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def problems(folder: Path, text: str, fields: dict[str, dict[str, FieldInfo]] | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        load(write(folder, text), fields)
    return list(caught.value.problems)


def test_s22_all_errors_at_once_with_the_nearest_name(tmp_path: Path) -> None:
    text = """
method: ckd
parameters:
  lamda_ckd: {choice: [1, 10]}
  temperature: {choice: [0, 2]}
  alpha: {float: [0.5, 1.7]}
  epochs: {int: [8, 4]}
  learning_rate: {log: [0, 1]}
  variant: {choice: []}
  batch_size: {choise: [16]}
"""
    found = problems(tmp_path, text, FIELDS)
    joined = "\n".join(found)
    assert len(found) == 7
    assert "unknown parameter 'lamda_ckd': did you mean 'lambda_ckd'?" in joined
    assert "temperature: 0 is not accepted: should be greater than 0" in joined
    assert "alpha: 1.7 is not accepted: should be less than or equal to 1" in joined
    assert "epochs: int: the low end 8 is not under the high end 4" in joined
    assert "learning_rate: log: the low end must be over 0" in joined
    assert "variant: choice: needs a list of at least one value" in joined
    assert "unknown word 'choise': did you mean 'choice'?" in joined


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("alpha: 0.9", "write {fixed: value}"),
        ("alpha: {fixed: 0.9, choice: [0.9]}", "exactly one of fixed, choice, int, float, log, has fixed, choice"),
        ("alpha: {choice: [0.9, 0.9]}", "0.9 stands there twice"),
        ("alpha: {choice: [1, true]}", "True stands there twice"),
        ("alpha: {choice: [[0.9]]}", "is not a plain value"),
        ("alpha: {float: [.nan, 1]}", "nan is no end of a range"),
        ("alpha: {float: [0.1, 0.1]}", "write {fixed: 0.1}"),
        ("epochs: {int: [1.5, 3]}", "1.5 is no end of a range; whole numbers"),
        ("temperature: {fixed: '3'}", "'3' is not accepted: should be a valid number"),
        ("variant: {choice: [paper, cod]}", "'cod' is not accepted: should be 'paper' or 'code'"),
        ("delta: {float: [1, 3]}", "1.0 is not accepted: should be a valid integer"),
        ("alpha: {fixed: 1, when: {delta: [3]}}", "'delta' does not come before it"),
        ("alpha: {fixed: 1, when: {detla: [3]}}", "unknown parameter 'detla'"),
        ("alpha: {fixed: 1, when: {method: [kd]}}", "when.method: 'kd' is not in the space (allowed: 'ckd')"),
        ("alpha: {fixed: 1, when: {method: ckd}}", "when.method: needs a list of values"),
        ("alpha: {fixed: 1, when: {window: [1]}}", "'window' is a range"),
        ("method: {fixed: kd}", "cannot be the name"),
    ],
)
def test_each_mistake_in_a_parameter_is_named(tmp_path: Path, line: str, message: str) -> None:
    ranged = "  window: {int: [1, 3]}\n" if "window" in line else ""
    later = "" if line.startswith("delta") else "\n  delta: {fixed: 10}"
    fields = {"ckd": {**FIELDS["ckd"], "window": FIELDS["ckd"]["delta"]}}
    found = problems(tmp_path, f"method: ckd\nparameters:\n{ranged}  {line}{later}", fields)
    assert any(message in problem for problem in found)
    assert all(problem.startswith("mine.yaml: parameters") for problem in found)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("[{alpha: 0.6}]", "alpha: 0.6 is not in the space (allowed: 0.7, 0.9)"),
        ("[{alpah: 0.7}]", "unknown parameter 'alpah': did you mean 'alpha'?"),
        ("[{temperature: 30}]", "30 is not in the space (allowed: 1.0 to 20.0)"),
        ("[{delta: 10}]", "delta is there only when alpha is 0.9"),
        ("[{alpha: 0.7}, {alpha: 0.7}]", "point 2: the same point stands there twice"),
        ("[{batch_size: 32}]", "sets nothing that is searched"),
        ("{alpha: 0.7}", "needs a list of points"),
    ],
)
def test_each_mistake_in_a_start_point_is_named(tmp_path: Path, start: str, message: str) -> None:
    found = problems(
        tmp_path,
        f"method: ckd\nstart: {start}\nparameters:\n  alpha: {{choice: [0.7, 0.9]}}\n  batch_size: {{fixed: 32}}\n"
        "  temperature: {float: [1, 20]}\n  delta: {int: [10, 15], when: {alpha: [0.9]}}\n",
    )
    assert len(found) == 1
    assert message in found[0]


def test_a_parameter_that_some_method_lacks_needs_a_condition(tmp_path: Path) -> None:
    text = "method: {choice: [none, kd, ckd]}\nparameters:\n  temperature: {choice: [1, 2]}\n  delta: {fixed: 10}"
    assert problems(tmp_path, text, FIELDS) == [
        "mine.yaml: parameters.temperature: none does not have it; add when: {method: [kd, ckd]}",
        "mine.yaml: parameters.delta: none, kd does not have it; add when: {method: [ckd]}",
    ]


def test_check_names_unknown_methods_and_the_space(tmp_path: Path) -> None:
    space = load(write(tmp_path, "method: {choice: [kdd, kd]}\nparameters: {alpha: {fixed: 2}}"))
    with pytest.raises(UserError) as caught:
        check(space, FIELDS)
    first, second = caught.value.problems
    assert first.startswith("search space 'mine': method: unknown method 'kdd': did you mean 'kd'?")
    assert "2 is not accepted: should be less than or equal to 1" in second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: kd\nmethod: ckd\nparameters: {}", "line 2: found duplicate key"),
        ("method: kd\nparameters: {alpha: [1", "line 2"),
        ("method: kd\nabout: 2020-13-45", "not readable as YAML: ValueError('month must be"),
        ("", "must be a mapping"),
        ("parameters: {}", "method: must be a name"),
        ("method: kd", "parameters: must be a mapping"),
        ("method: 3\nparameters: {}", "method: 3"),
        ("method: kd\nparameters: {}\nmethods: kd", "unknown heading 'methods': did you mean 'method'?"),
    ],
)
def test_unreadable_files_say_where(tmp_path: Path, text: str, message: str) -> None:
    assert message in "\n".join(problems(tmp_path, text))


def test_unknown_names_and_missing_files_name_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown search space 'ckd_dleta': did you mean 'ckd_delta'"):
        load("ckd_dleta")
    with pytest.raises(UserError, match=r"no file here/ckdd.yaml; as a name: .* did you mean 'ckd'"):
        load("here/ckdd.yaml")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("ckd")
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3), max_leaves=8
)
words = st.sampled_from(["fixed", "choice", "int", "float", "log", "when"])
numbers = st.lists(st.integers(-3, 20) | st.floats(-1, 2), max_size=3)
names = st.sampled_from(["alpha", "delta", "variant", "method"]) | st.text(max_size=3)
condition = st.dictionaries(names, numbers | anything, max_size=2)
spec = st.dictionaries(words, numbers | condition | anything, max_size=2) | anything
mapping = st.fixed_dictionaries(
    {},
    optional={
        "about": anything,
        "method": st.sampled_from(["kd", "ckd"]) | spec,
        "parameters": st.dictionaries(names, spec, max_size=4) | anything,
        "start": st.lists(st.dictionaries(names, scalars, max_size=3), max_size=2) | anything,
    },
)


@settings(max_examples=400, deadline=None)
@given(mapping | anything)
def test_any_mapping_gives_a_space_or_problems(raw: Any) -> None:
    space, found = parse("any", raw)
    assert isinstance(space, Space)
    assert all(isinstance(problem, str) and len(problem) < 2000 for problem in found)
    if not found:
        assert isinstance(misfits(space, FIELDS), list)
        values = {dimension.name: dimension.values for dimension in space.dimensions}
        assert space.walk(lambda name, _: values[name][0])["method"] == values["method"][0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="abm:{}[]-&*!?|>'\"#%@,. \n\t0é\x00", max_size=40) | st.binary(max_size=20))
def test_any_file_gives_a_space_or_a_user_error(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        load(str(path))
    assert all(problem.startswith("any.yaml") for problem in caught.value.problems)
