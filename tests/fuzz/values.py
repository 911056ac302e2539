"""Odd words, odd values, and ways of spoiling what is sound: the material of every generator."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

# No NUL: an operating system passes none in an argument. A lone surrogate is how Python shows bytes that are no UTF-8.
WORDS = (
    *(
        "",
        " ",
        "-",
        "--",
        "=",
        "a=b",
        ".",
        "..",
        "/",
        "~",
        "\\",
        "nan",
        "inf",
        "-inf",
        "null",
        "true",
        "None",
        "[]",
        "{}",
    ),
    *(
        "0",
        "-1",
        "1",
        "2",
        "3.5",
        "-0.0",
        "1e400",
        "1e-400",
        "1_000",
        "0x10",
        "1e3",
        " 5 ",
        "٣",
        "\uff11",
        "½",
        "9" * 40,
    ),
    *("9" * 5000, "1" * 309, "2147483648", "9223372036854775808", "18446744073709551616"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "../base",
        "a/b/c",
        "a/../b",
        "./x",
        "/proc/self/mem",
        "/dev/null",
        "/dev/full",
    ),
    *(
        "x" * 300,
        "x" * 5000,
        "é",
        "e\u0301",
        "\u202eabc",
        "\u200b",
        "漢字",
        "🦜",
        "\udcff\udcfe",
        "a\udc80b",
        "\x1b[31m",
        "\x07",
    ),
    *(
        "[/]",
        "[bold]",
        "[/bold]",
        "a[/b]c",
        "[link=x]",
        "%s",
        "%(a)s",
        "{0}",
        "{x}",
        "$HOME",
        "`id`",
        "a\nb",
        "a\tb",
        "\r",
    ),
    *(
        "kd",
        "rte",
        "text",
        "label",
        "sample",
        "hub",
        "custom",
        "none",
        "-h",
        "--help",
        "--version",
        "-5",
        "*",
        "?",
        "a b",
    ),
)

SNIPPETS = (
    "!!python/object/apply:os.system [ls]", "!!python/name:os.system", "!!binary abc", "!!binary \"====\"",
        "!!bool maybe",
    "!!int ''", "!!int x", "!!int 0b", "!!int 0x", "!!float x", "!!float ''", "!!null x", "!!timestamp x",
        "2020-13-45", "2001-12-14t21:59:43.10-05:00",
    "!!set {a, b}", "!!omap [a: 1]", "!!omap [1]", "!!pairs [a: 1]", "!!pairs x", "!!str [a]", "!!seq {a: 1}",
        "!!map [1]", "!mine x",
    "!<tag:x> y", "&a [*a]", "&b {x: *b}", "*nobody", "&", "*", "!", "!!", "<<: *a", "<<: {method: kd}", "<<: [1]",
        "{<<: x}", "? [a, b]\n: c",
    "? {a: b}\n: c", "%YAML 9.9\n---", "%YAML 1.1\n---", "%TAG ! tag:x,2000:\n---", "%FOO bar",
        "---\na: 1\n---\nb: 2", "...", "---", "\t", "- ", ": ", "? ",
    "|", ">", "|+9\n x", "'", '"', '"\\ud800"', '"\\x00"', '"\\U00110000"', '"\\z"', "#", "@", "`", "[", "]", "{",
        "}", "{{{{", "[" * 900, "{a: " * 400,
    "{choice: [1, 1]}", "{choice: []}", "{int: [1, 1000000000000000]}", "{int: [0, 1e15]}", "{log: [1.0e-320, 1]}",
        "{float: [-.inf, .inf]}", "{float: [.nan, 1]}",
    "{fixed: .nan}", "{fixed: 1" + "0" * 400 + "}", "{fixed: {a: 1}}", "{fixed: '[/x]'}", "{choice: [a, [b]]}",
        "{fixed: 1, choice: [1]}", "{when: {method: [kd]}}",
    "{choice: [true, 1, 1.0]}", "{choice: ['a\\nb']}", "{fixed: 3, when: {alpha: [0.5]}}", "{int: [1, 2, 3]}",
        "{log: [-1, 1]}", "{fixed: 1e999}", "0o17", "0b1", "1:30", ".5", "+1", "~", "yes", "9" * 5000,
    "&x [" + ", ".join(["1"] * 9) + "]", "\ufeff", "\u2028", "\x85", "\x00", "\x07", "\ud7ff", "\ufffe",
)  # fmt: skip

SCALARS = (
    *(None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 10**400),
    *(
        2**31,
        2**63,
        2**64,
        10**15,
        10**16,
        "",
        " ",
        "a",
        "no",
        "yes",
        "1",
        "nan",
        "\x00",
        "\u202e",
        "漢",
        "[/x]",
        "x" * 3000,
    ),
)

Path = tuple[Any, ...]


def odd_words() -> st.SearchStrategy[str]:
    """An argument that somebody could type, or not."""
    free = st.text(st.characters(exclude_characters="\x00", exclude_categories=()), max_size=12)
    return st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), free.filter(_passable))


def _passable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def odd_values() -> st.SearchStrategy[Any]:
    """A value of JSON, with what JSON knows no word for."""
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    scalars = st.sampled_from(SCALARS)
    few = st.lists(scalars, max_size=3)
    return st.one_of(
        scalars, scalars, few, st.dictionaries(st.sampled_from(["", "a", "0", "é"]), scalars, max_size=2), st.just(deep)
    )


def places(value: Any, at: Path = ()) -> list[Path]:
    """Where every part of a nested value is."""
    found = [at]
    if isinstance(value, dict):
        found += [place for key, part in value.items() for place in places(part, (*at, key))]
    elif isinstance(value, list):
        found += [place for index, part in enumerate(value[:12]) for place in places(part, (*at, index))]
    return found


@st.composite
def changed(draw: st.DrawFn, value: Any, most: int = 3, odd: st.SearchStrategy[Any] | None = None) -> Any:
    """`value` with one to `most` parts dropped, replaced, renamed, repeated or wrapped."""
    holder = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from(places(holder[0]) or [()]))
        at: Any = holder
        steps = (0, *path)
        for step in steps[:-1]:
            at = at[step]
        key = steps[-1]
        what = draw(st.sampled_from(["replace", "replace", "replace", "drop", "rename", "repeat", "wrap", "empty"]))
        if what == "drop" and path:
            del at[key]
        elif what == "rename" and isinstance(at, dict):
            at[draw(st.sampled_from(["", "a", "Alpha", str(key) + "s", str(key)[::-1], "method", "0"]))] = at.pop(key)
        elif what == "repeat" and isinstance(at, list):
            at.insert(key, copy.deepcopy(at[key]))
        elif what == "wrap":
            at[key] = draw(st.sampled_from([[at[key]], {"a": at[key]}, [at[key]] * 3, str(at[key])]))
        elif what == "empty":
            at[key] = type(at[key])() if isinstance(at[key], (list, dict, str, int, float)) else ""
        else:
            at[key] = copy.deepcopy(draw(odd_values() if odd is None else odd))
    return holder[0]


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content of a file, spoilt as disks, editors and other systems spoil it."""
    cut = draw(st.integers(0, len(content)))
    junk = draw(
        st.sampled_from(
            [
                b"\x00",
                b"\xff\xfe",
                b"\xef\xbb\xbf",
                b"\n",
                b"\r",
                b"\t",
                b'"',
                b"\xc3\x28",
                b"\xed\xa0\x80",
                b"\x80" * 9,
                b"\x1a",
                b",",
                b"\n\n\n",
            ]
        )
    )
    return draw(
        st.sampled_from(
            [
                b"",
                content[:cut],
                content[cut:],
                content[:cut] + junk + content[cut:],
                content[:cut] + junk + content[cut + len(junk) :],
                content[:cut] + bytes(reversed(content[cut:])),
                content.decode("utf-8", "replace").encode("utf-16"),
                content.decode("utf-8", "replace").encode("utf-32-le"),
                content.replace(b"\n", b"\r"),
                content.replace(b"\n", b"\r\n"),
                content.replace(b"e", b"\xe9"),
                b"\x1f\x8b\x08" + content,
                content + content,
                b"\x00" * len(content),
                junk,
            ]
        )
    )


def as_json(value: Any) -> bytes:
    """As Python writes JSON: NaN and Infinity by name. A lone surrogate stays as an escape."""
    return json.dumps(value, default=str).encode()
