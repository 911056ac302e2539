"""How a student is described: cut from the teacher, built from sizes, or a model of its own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from raykd.errors import UserError
from raykd.models.inside import stacks
from raykd.models.outline import MOST, encoder_outline

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

FORMS = (
    "allowed: 'cut:3' (3 layers spread over the teacher's, ending in its last), 'cut:3:first', 'cut:3:last', "
    "'cut:2,4,6' (these layers, counted from 1), 'build:4/312/12' (layers/hidden/heads) or 'build:4/312/12/1200' "
    "(with the intermediate width), a local folder, a hub name"
)

# The model types raykd can build from sizes, and where each keeps the width of its feed-forward layer. The widths of
# others hang together in ways of their own (MobileBERT's bottlenecks, DeBERTa's pooler): those are cut, not built.
INTERMEDIATE = {
    "bert": "intermediate_size",
    "roberta": "intermediate_size",
    "xlm-roberta": "intermediate_size",
    "camembert": "intermediate_size",
    "electra": "intermediate_size",
    "distilbert": "hidden_dim",
}


NAMED = "a pretrained one that reads the teacher's tokens, by folder or hub name"


@dataclass(frozen=True)
class Cut:
    """Some layers of the teacher. layers: how many; picked: which ones (from 1), or () where `which` decides."""

    layers: int
    which: Literal["spread", "first", "last"] = "spread"
    picked: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.picked:
            return f"cut:{','.join(map(str, self.picked))}"
        return f"cut:{self.layers}" if self.which == "spread" else f"cut:{self.layers}:{self.which}"


@dataclass(frozen=True)
class Build:
    """A student of the teacher's kind with sizes of its own and random weights."""

    layers: int
    hidden: int
    heads: int
    intermediate: int

    def __str__(self) -> str:
        return f"build:{self.layers}/{self.hidden}/{self.heads}/{self.intermediate}"


@dataclass(frozen=True)
class Given:
    """A pretrained student: a local folder or a hub name."""

    name: str

    def __str__(self) -> str:
        return self.name


StudentSpec = Cut | Build | Given


def parse_student(text: str) -> StudentSpec:
    """Read a student's description (see FORMS); `parse_student(str(spec)) == spec`. UserError for nonsense.

    Only the form is looked at here. Numbers are judged by `check_student`, which knows the teacher.
    """
    text = text.strip()
    kind, _, rest = text.partition(":")
    if kind == "cut" and (found := re.fullmatch(r"(\d{1,9})(?::(first|last))?", rest)):
        which: Literal["spread", "first", "last"] = "spread"
        if found[2]:
            which = "first" if found[2] == "first" else "last"
        return Cut(int(found[1]), which)
    if kind == "cut" and re.fullmatch(r"\d{1,9}(,\d{1,9})+", rest):
        picked = tuple(int(layer) for layer in rest.split(","))
        return Cut(len(picked), picked=picked)
    if kind == "build" and re.fullmatch(r"\d{1,9}/\d{1,9}/\d{1,9}(/\d{1,9})?", rest):
        layers, hidden, heads, *more = (int(size) for size in rest.split("/"))
        return Build(layers, hidden, heads, more[0] if more else 4 * hidden)
    # A colon is in no hub name, and in a path only after a drive letter.
    if not text or (":" in text and not re.match(r"[A-Za-z]:[\\/]", text)) or text in ("cut", "build"):
        raise UserError(f"student '{text}' is not understood; {FORMS}")
    return Given(text)


def picked_layers(spec: Cut, teacher_layers: int) -> tuple[int, ...]:
    """The teacher's layers (counted from 1) that a checked cut keeps.

    Spread: student layer i of k is layer ceil(i L / k) of L, which is every (L/k)-th where k divides L, always ends in
    the last, and never takes one twice: 6 to 3 gives 2, 4, 6; 12 to 5 gives 3, 5, 8, 10, 12.
    """
    if spec.picked:
        return spec.picked
    if spec.which == "first":
        return tuple(range(1, spec.layers + 1))
    if spec.which == "last":
        return tuple(range(teacher_layers - spec.layers + 1, teacher_layers + 1))
    return tuple(-(-index * teacher_layers // spec.layers) for index in range(1, spec.layers + 1))


def check_student(spec: StudentSpec, teacher: PreTrainedConfig) -> None:
    """UserError with every impossible number of a description and the valid range (scenario S21).

    Needs the teacher's configuration only (classifier.load_config), so it can run before anything is launched.
    """
    problems: list[str] = []
    if isinstance(spec, Cut):
        problems = _cut_problems(spec, teacher)
    elif isinstance(spec, Build):
        problems = _build_problems(spec, teacher)
    if problems:
        raise UserError(*(f"student '{spec}': {problem}" for problem in problems))


def uncut(config: PreTrainedConfig) -> str | None:
    """Why an encoder of this configuration cannot be cut; None for one that can."""
    if "layer_types" in vars(config):
        return "its layers are not alike"
    count = len(stacks(encoder_outline(config)))
    return None if count == 1 else f"it keeps {count or 'no'} lists of {config.num_hidden_layers} layers"


def _cut_problems(spec: Cut, teacher: PreTrainedConfig) -> list[str]:
    last = int(teacher.num_hidden_layers)
    problems = []
    if (why := uncut(teacher)) is not None:
        other = "build one (build:4/312/12), or name" if teacher.model_type in INTERMEDIATE else "name"
        problems.append(f"a {teacher.model_type} model cannot be cut, as {why}: {other} {NAMED}")
    if not spec.picked and not 1 <= spec.layers <= last:
        problems.append(f"{spec.layers} layers of a teacher with {last}: give 1 to {last}")
    outside = [str(layer) for layer in spec.picked if not 1 <= layer <= last]
    if outside:
        problems.append(f"the teacher has no layer {', '.join(outside)}: its layers are 1 to {last}")
    if list(spec.picked) != sorted(set(spec.picked)):
        problems.append("name each layer once, in ascending order")
    return problems


def _build_problems(spec: Build, teacher: PreTrainedConfig) -> list[str]:
    problems = []
    if teacher.model_type not in INTERMEDIATE:
        allowed = ", ".join(INTERMEDIATE)
        other = "cut one (cut:3), or name" if uncut(teacher) is None else "name"
        problems.append(f"cannot build a {teacher.model_type} model from sizes (only {allowed}): {other} {NAMED}")
    sizes = {
        "layers": spec.layers,
        "hidden width": spec.hidden,
        "heads": spec.heads,
        "intermediate width": spec.intermediate,
    }
    problems += [f"{name} must be 1 or more" for name, size in sizes.items() if size < 1]
    if spec.layers > MOST["num_hidden_layers"]:  # they would be made one by one
        problems.append(f"{spec.layers:,} layers: at most {MOST['num_hidden_layers']:,}")
    layer = spec.hidden * (4 * spec.hidden + 2 * spec.intermediate)
    needed = 4 * (int(teacher.vocab_size) * spec.hidden + spec.layers * layer)  # bytes in float32
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        problems.append(f"its weights need {needed / 2**30:,.0f} GiB, and this machine has {memory / 2**30:,.0f}")
    if spec.heads > 0 and spec.hidden % spec.heads:
        # The nearest widths that do divide, one on either side.
        below = spec.hidden // spec.heads * spec.heads
        near = [str(width) for width in (below, below + spec.heads) if width]
        problems.append(f"hidden width {spec.hidden} is no multiple of {spec.heads} heads: nearest {' or '.join(near)}")
    return problems
