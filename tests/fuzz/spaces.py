"""Search spaces with everything wrong that a file can have."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

from raykd.search.space import shipped
from tests.fuzz.base import ROWS, TEACHER
from tests.fuzz.case import Case, Entry, Folder, Link
from tests.fuzz.values import SNIPPETS, as_json, changed, damaged, odd_words

SEEDS = ("none", "kd", "ckd", "pkd", "fsd_i", "tinybert", "tkd_family", "takd", "minimax_knn", "mix")
TEXTS = {name: shipped()[name].read_text(encoding="utf-8") for name in SEEDS}
PARSED: dict[str, Any] = {name: YAML(typ="safe", pure=True).load(text) for name, text in TEXTS.items()}

# Parsed spaces are changed by words that mean something in one, too.
PARTS: tuple[Any, ...] = (
    *({"choice": [1, "a", None]}, {"choice": [10**400, 1]}, {"int": [1, 10**15]}, {"int": [-5, 3]}, {"float": [0, 1]},
        {"log": [1e-9, 1e9]}),
    *({"fixed": float("nan")}, {"fixed": [1]}, {"fixed": "x"}, {"choise": [1]}, {"choice": [0.5],
        "when": {"method": ["kd"]}}),
    *({"choice": [1], "when": {"nothing": [1]}}, {"choice": [1], "when": {"alpha": []}}, {"fixed": 1,
        "when": {"alpha": [[1]]}}),
    *("kd", ["kd"], {"choice": ["kd", "kdd"]}, {"choice": ["kd", 3]}, {"fixed": "ckd"}, [{"alpha": 0.9}], [{}], [[]],
        {"": {"fixed": 1}}),
    *({"seed": {"int": [0, 9]}, "max_length": {"fixed": 8}}, {"epochs": {"choice": ["3", True]}},
        {"batch_size": {"int": [1, 10**15]}}),
)  # fmt: skip


def _bomb(levels: int) -> str:
    """Ten references to the level below, each level: expanded it would fill any memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(
        [*lines, f"method: *a{levels - 1}", f"parameters: {{alpha: {{choice: [*a{levels - 1}, *a{levels - 1}]}}}}"]
    )


def _merge_bomb(levels: int) -> str:
    """The same by merge keys."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], y{n}: 1}}" for n in range(1, levels)]
    return "\n".join([*lines, "method: kd", f"parameters: *a{levels - 1}"])


WHOLE = (
    "", "\n", "null", "[]", "{}", "method", "method: kd", "method: kd\nparameters:", "method: kd\nparameters: []",
    "method: kd\nparameters: {}", "&a [*a]", "&a {method: *a, parameters: *a}",
        "method: &m {choice: *m}\nparameters: *m",
    "[" * 5000, "{a: " * 3000, "- " * 3000, "? " * 2000, "\x00", "method: kd\nmethod: ckd\nparameters: {}",
    "method: kd\nparameters:\n  alpha: {fixed: 1}\n  alpha: {fixed: 0}",
        "parameters: &p {alpha: {choice: [*p]}}\nmethod: kd",
    _bomb(9), _bomb(30), _merge_bomb(4), _merge_bomb(9), "a: !!python/object/apply:os.system ['touch pwned']",
        "!!python/object:os.x {}",
    "method: kd\nstart: &s [{alpha: *s}]\nparameters: {alpha: {choice: [1, 2]}}",
        "about: [/x]\nmethod: kd\nparameters: {}",
    "about: '[/x] [bold]'\nmethod: kd\nparameters: {}", "\"\\ud800\": 1",
        "about: \"\\ud800\"\nmethod: kd\nparameters: {alpha: {fixed: 0.5}}",
    "method: kd\nparameters: {batch_size: {int: [1, 1000000000000000]}}",
        "method: kd\nparameters: {batch_size: {choice: [2, 3]}}",
)  # fmt: skip


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    """A shipped space, edited carelessly."""
    lines = TEXTS[draw(st.sampled_from(SEEDS))].splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        snippet = draw(st.sampled_from(SNIPPETS))
        what = draw(st.sampled_from(["value", "value", "insert", "drop", "twice", "indent", "swap", "inside", "key"]))
        if what == "value" and ":" in lines[at]:
            lines[at] = lines[at].split(":", 1)[0] + ": " + snippet
        elif what == "key":
            lines[at] = re.sub(r"[a-z_]+:", lambda _: snippet + ":", lines[at], count=1)  # noqa: B023 (used at once)
        elif what == "drop" and len(lines) > 1:
            del lines[at]
        elif what == "twice":
            lines.insert(at, lines[at])
        elif what == "indent":
            lines[at] = draw(st.sampled_from(["  ", "\t", " ", "    - "])) + lines[at]
        elif what == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        elif what == "inside":
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + snippet + lines[at][cut:]
        else:
            lines.insert(at, snippet)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@st.composite
def _contents(draw: st.DrawFn) -> bytes:
    how = draw(st.sampled_from(["lines", "lines", "parts", "parts", "parts", "bytes", "whole"]))
    if how == "lines":
        return draw(_lines())
    if how == "bytes":
        return draw(damaged(TEXTS[draw(st.sampled_from(SEEDS))].encode()))
    if how == "whole":
        return draw(st.sampled_from(WHOLE)).encode("utf-8", "surrogatepass")
    odd: st.SearchStrategy[Any] = st.one_of(
        st.sampled_from(PARTS), st.sampled_from(PARTS), st.sampled_from([0, "x", None, [], {}, 1e400, 10**400])
    )
    made = as_json(draw(changed(PARSED[draw(st.sampled_from(SEEDS))], most=4, odd=odd)))
    return made.replace(b"NaN", b".nan").replace(b"Infinity", b".inf")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A space, and a command that reads it: a listing, a sweep whose teacher is not there, or one that could begin."""
    name = draw(
        st.sampled_from(
            ["s.yaml"] * 12 + ["s.yml", "d/s.yaml", "[/x].yaml", "\udcff.yaml", "é.yaml", "s.YAML", "s.txt"]
        )
    )
    entry: Entry = draw(_contents())
    if draw(st.integers(0, 30)) == 0:
        strange: list[Entry] = [Folder(), Link("nowhere"), Link(name), Link("/dev/null"), Link("../base/rows.csv")]
        entry = draw(st.sampled_from(strange))
    command = draw(st.sampled_from(["list", "absent", "absent", "absent", "whole"]))
    if command == "list":
        return Case(("spaces", name), {name: entry})
    words = ["tune", "--space", name, "--seed", "1"]
    words += ["--task", "rte", "--data", "sample", "--teacher", "absent"] if command == "absent" else [*ROWS, *TEACHER]
    for flags in (
        ["--method", "kd"],
        ["--epochs", "2"],
        ["--workers-per-trial", "2"],
        ["--sampler", "grid"],
        ["--student", "cut:1"],
    ):
        if draw(st.integers(0, 4)) == 0:
            words += flags
    if draw(st.integers(0, 20)) == 0:
        words += ["--method", draw(odd_words())]
    return Case(tuple(words), {name: entry})
