"""Makes a student: deterministic for a seed, quick for the next trial, and never sharing memory with another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from raykd.errors import UserError
from raykd.models.classifier import (
    Attention,
    Head,
    attention_option,
    auto_class,
    check_complete,
    has_head,
    head_names,
    load_classifier,
    load_config,
    load_weights,
    set_labels,
)
from raykd.models.inside import stacks
from raykd.models.quiet import quiet
from raykd.models.seed import seeded
from raykd.models.shape import Shape, shape, size_of
from raykd.models.source import Version, digest, resolve, version
from raykd.models.spec import INTERMEDIATE, Build, Cut, Given, StudentSpec, check_student, parse_student, picked_layers
from raykd.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Shape", "StudentSpec", "check_student", "make_student", "parse_student", "shape", "size_of"]


def make_student(
    spec: StudentSpec,
    teacher: Path,
    head: Head,
    *,
    seed: int,
    attention: Attention = "sdpa",
    head_from: Path | None = None,
) -> PreTrainedModel:
    """The student before its first step: float32, on the CPU, in eval mode, labels of `head` in its configuration.

    Cut: a copy of the teacher's embeddings, chosen layers and pooler, under a fresh head even where the teacher's head
    is fine-tuned: it was made for the teacher's last layer, and every method starts from the same. Built: all random.
    Given: the pretrained weights, and their head if they have one for these labels.
    `name_or_path` is str(spec) for the first two, the local folder for the last.

    Args:
        spec: The student's description.
        teacher: Folder of the model that it is cut from or built after.
        head: What the student answers.
        seed: Of the run. What is random follows from it, from `spec` and from the weights in `teacher` (or of the given
            student), so that a student's fresh head is never the one that its teacher began with. The caller's
            generators are left as they were.
        attention: Implementation of the attention.
        head_from: Folder of a fine-tuned model whose head a cut student takes over instead of a fresh one.

    Raises:
        UserError: impossible sizes (see check_student), a teacher that cannot be cut, a head that does not fit, and all
            that loading raises.
    """
    if head_from is not None and not isinstance(spec, Cut):
        raise UserError(f"student '{spec}': only a cut student can take over its teacher's head; leave out --head")
    source = resolve(spec.name, role="student") if isinstance(spec, Given) else teacher
    with seeded(derive_seed(seed, "student", spec, digest(source))):
        if isinstance(spec, Cut):
            return _named(_cut(spec, teacher, head, attention, head_from), spec)
        if isinstance(spec, Build):
            return _named(_build(spec, teacher, head, attention), spec)
        return load_classifier(source, head, attention=attention)


def _named(model: PreTrainedModel, spec: StudentSpec) -> PreTrainedModel:
    """Its description in place of the teacher's folder, which is not where this model came from."""
    model.name_or_path = model.config.name_or_path = str(spec)
    return model


def _build(spec: Build, teacher: Path, head: Head, attention: Attention) -> PreTrainedModel:
    config = load_config(teacher)
    check_student(spec, config)
    config.num_hidden_layers, config.hidden_size, config.num_attention_heads = spec.layers, spec.hidden, spec.heads
    setattr(config, INTERMEDIATE[config.model_type], spec.intermediate)
    config.architectures = None
    set_labels(config, head)
    kind = auto_class(config, span=head.span)
    model: PreTrainedModel = kind.from_config(config, dtype=torch.float32, **attention_option(attention))
    return model.eval()


def _cut(spec: Cut, teacher: Path, head: Head, attention: Attention, head_from: Path | None) -> PreTrainedModel:
    config = load_config(teacher)
    check_student(spec, config)
    layers = picked_layers(spec, config.num_hidden_layers)
    whole = _whole(teacher, version(teacher), head.span)
    config.num_hidden_layers = len(layers)
    set_labels(config, head)
    new_place = {f"{whole.stack}.{old - 1}.": f"{whole.stack}.{new}." for new, old in enumerate(layers)}
    weights = _moved(whole, new_place)
    if head_from is not None:
        stored = _head_weights(head_from, version(head_from), head, config.hidden_size)
        weights |= {name: weight.clone() for name, weight in stored.items()}
    # from_pretrained takes the given tensors as they are, fills buffers, and makes up only what is absent (the head) as
    # the architecture does: no time is lost on random embeddings that would be overwritten.
    with quiet():
        loaded: Any = whole.kind.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            output_loading_info=True,
            **attention_option(attention),
        )
    model: PreTrainedModel = loaded[0]
    info: dict[str, set[str]] = loaded[1]
    prefix = model.base_model_prefix + "."
    absent = sorted(name for name in info["missing_keys"] if name.startswith(prefix) and name not in whole.absent)
    left_over = sorted(info["unexpected_keys"])
    if absent or left_over:
        raise UserError(
            f"student '{spec}': the layers of '{teacher}' are not alike, so it cannot be cut there "
            f"(weights without a place: {left_over[:3]}, places without weights: {absent[:3]})"
        )
    return model


@lru_cache(maxsize=2)
def _head_weights(folder: Path, version: Version, head: Head, width: int) -> dict[str, Tensor]:
    """The stored weights outside the encoder of `folder`, for a student `width` wide."""
    if not has_head(folder, span=head.span):
        raise UserError(f"'{folder}' has no head for this task that a student could take over")
    config = load_config(folder)
    if config.hidden_size != width:
        raise UserError(f"'{folder}': its head is for states {config.hidden_size} wide, the student's are {width}")
    weights = load_classifier(folder, head).state_dict()
    return {name: weights[name] for name in head_names(config, span=head.span)}


@dataclass(frozen=True)
class _Whole:
    """A teacher's encoder, to be cut from."""

    kind: type[PreTrainedModel]
    weights: dict[str, Tensor]
    """The stored tensors of the encoder by full name; the head's are left out."""
    absent: frozenset[str]
    """Names of the encoder that were not stored (a pooler, after language modelling)."""
    stack: str
    """The name of the list of layers, e.g. `bert.encoder.layer`."""


@lru_cache(maxsize=2)
def _whole(folder: Path, version: Version, span: bool) -> _Whole:
    """Read a teacher once a process; `version` makes a rewritten folder a new entry. Keeps its weights in memory."""
    # Under a seed of its own: filling in absent weights must not move the generator that the student's head comes from.
    config = load_config(folder)
    if span:
        set_labels(config, Head((), span=True))  # whatever head is stored, there are two logits
    with seeded(0):
        model, missing = load_weights(folder, config, attention="sdpa", span=span)
    prefix, (stack,) = model.base_model_prefix, stacks(model)  # one: check_student refuses to cut others
    inside = {name: weight for name, weight in model.state_dict().items() if name.startswith(prefix + ".")}
    absent = frozenset(name for name in missing if name in inside)
    check_complete(absent, folder)
    stored = {name: weight for name, weight in inside.items() if name not in absent}
    return _Whole(type(model), stored, absent, f"{prefix}.{stack}")


def _moved(whole: _Whole, new_place: dict[str, str]) -> dict[str, Tensor]:
    """Copies (students must not share memory) of all tensors but those of the layers left behind, renamed."""
    weights: dict[str, Tensor] = {}
    for name, weight in whole.weights.items():
        if not name.startswith(whole.stack + "."):
            weights[name] = weight.clone()
            continue
        rest = name.removeprefix(whole.stack + ".").partition(".")
        old = f"{whole.stack}.{rest[0]}."
        if old in new_place:
            weights[new_place[old] + rest[2]] = weight.clone()
    return weights
