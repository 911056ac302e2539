"""What a recipe may know before its first step: the scene, and the facts worked out once from the whole split."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from raykd.knowledge.teacher import Teacher
from raykd.methods.method import Pair
from raykd.methods.recipe import Fact, Recipe, Scene, Vocabulary
from raykd.methods.seen import Need, Seen
from raykd.models.inside import bare
from raykd.models.shape import Shape, shape
from raykd.train.config import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from raykd.tasks.encode import Batch, Encoded

SURVEY = 64  # rows the teacher answers at a time


@dataclass(frozen=True)
class Around:
    """What lies around a run beside its data; most recipes want none of it.

    keep: the folder in which facts are kept for the next trial, and teacher: what names the teacher there.
    """

    vocabulary: Vocabulary | None = None
    origin: Path = Path()
    corpus: Encoded | None = None
    keep: Path | None = None
    teacher: str = ""


def tokens_of(tokenizer: PreTrainedTokenizerFast) -> Vocabulary:
    """The token ids of a tokenizer, for the recipes that write text."""
    return Vocabulary(
        size=len(tokenizer),
        pad=int(tokenizer.pad_token_id or 0),
        mask=tokenizer.mask_token_id,
        special=tuple(tokenizer.all_special_ids),
    )


def make_scene(
    student: nn.Module, teacher: Teacher | None, train: Encoded, task: TaskSpec, around: Around, device: torch.device
) -> Scene:
    """The scene of one run. Raises ValueError from `survey` where there is no teacher or no corpus to ask about."""
    splits = {"train": train} | ({} if around.corpus is None else {"corpus": around.corpus})

    def survey(name: str, needs: Set[Need]) -> Iterator[tuple[Batch, Seen]]:
        if teacher is None or name not in splits:
            raise ValueError(f"there is no teacher, or no split '{name}', to survey")
        for start in range(0, len(splits[name]), SURVEY):
            batch = splits[name].batch(np.arange(start, min(start + SURVEY, len(splits[name]))))
            if name == "train":
                yield batch.to(device), teacher.answer(batch, needs, device)
            else:
                yield batch.to(device), teacher.live(batch.to(device), needs)

    own = _shape(student)
    return Scene(
        pair=Pair(own if teacher is None else teacher.shape, own, task.kind, around.corpus is not None),
        rows=len(train),
        length=int(train.lengths.max()),
        vocabulary=around.vocabulary or Vocabulary(own.vocabulary, 0, None, ()),
        origin=around.origin,
        corpus=around.corpus,
        survey=survey,
    )


def _shape(model: nn.Module) -> Shape:
    inner = bare(model)
    assert isinstance(inner, PreTrainedModel)
    return shape(inner)


def facts_of(recipe: Recipe, scene: Scene, around: Around) -> dict[str, Tensor]:
    """The recipe's facts, from an earlier trial where one of the same teacher and split worked them out."""
    facts: dict[str, Tensor] = {}
    for fact in recipe.facts:
        facts |= _fact(fact, scene, around)
    return facts


def _fact(fact: Fact, scene: Scene, around: Around) -> dict[str, Tensor]:
    if around.keep is None:
        return dict(fact.make(scene))
    corpus = "" if around.corpus is None else around.corpus.key
    name = hashlib.sha256(repr((fact.key, around.teacher, corpus)).encode()).hexdigest()[:16]
    file = around.keep / f"fact-{name}.safetensors"
    if not file.is_file():
        made = {key: tensor.detach().cpu().contiguous() for key, tensor in fact.make(scene).items()}
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        save_file(made, temporary)
        os.replace(temporary, file)  # two trials that start together each write the same
    return load_file(file)
