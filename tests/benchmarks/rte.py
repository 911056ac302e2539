"""What the cost benchmarks share: RTE's real text, a teacher of 12 layers and 768 wide, a student of 4 and 312.

Neither is trained: cost does not hang on weights. Both are made from a configuration, with the vocabulary of the
pretrained MiniLM that the package index carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from raykd.knowledge.fill import fill
from raykd.knowledge.forms import Facts, Precision
from raykd.knowledge.library import Library
from raykd.knowledge.plan import plan
from raykd.knowledge.store import Knowledge
from raykd.knowledge.teacher import Teacher, live_teacher
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.recipe import Recipe
from raykd.methods.seen import Need
from raykd.models.classifier import load_classifier
from raykd.models.quiet import quiet
from raykd.models.save import save_student
from raykd.models.shape import shape
from raykd.models.student import make_student, parse_student
from raykd.models.tokenizer import load_tokenizer
from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded, encode
from raykd.tasks.source import Source
from raykd.teachers import task_spec
from raykd.train.config import TaskSpec
from tests.benchmarks.methods import pretrained

STUDENT = "build:4/312/12"


@dataclass(frozen=True)
class Place:
    """Folders of the teacher and of the tokenised rows, and the task."""

    folder: Path
    task: TaskSpec
    train: Encoded
    dev: Encoded

    @property
    def teacher_folder(self) -> Path:
        return self.folder / "teacher"

    def teacher(self) -> PreTrainedModel:
        return load_classifier(self.teacher_folder, self.task.head)

    def student(self, seed: int = 1) -> PreTrainedModel:
        return make_student(parse_student(STUDENT), self.teacher_folder, self.task.head, seed=seed)

    def recipe(self, method: str, **parameters: object) -> Recipe:
        """Of a method, for this pair."""
        found = METHODS[method]
        pair = Pair(shape(self.teacher()), shape(self.student()), self.task.kind)
        return found.recipe(found.parameters.model_validate(parameters), pair)

    def stored(self, needs: frozenset[Need], root: Path, precision: Precision = "float16") -> Teacher:
        """The teacher with what it says of every training row on disk; built now."""
        live = live_teacher(self.teacher())
        of, lengths = live.shape, self.train.lengths
        library = Library(root, "bench", self.train.key, precision)
        facts = Facts(of.hidden, of.heads, len(self.task.labels), projected=of.projected)
        wanted = [need for need, _ in plan(needs, facts, lengths, 10**12, precision).stored]
        parts = [library.part(need, facts, lengths, rows_per_shard=512) for need in wanted]
        for shard in range(len(parts[0]) if parts else 0):
            fill(parts, shard, live, self.train, torch.device("cpu"))
        return Teacher(of, self.teacher, Knowledge([part.folder for part in parts], self.train))


def place(folder: Path, data: str, *, rows: int | None = None, dev: int = 277, length: int = 128) -> Place:
    """The pair and the first `rows` rows of RTE, in `folder`."""
    whole = Source(data, max_train_samples=rows, max_eval_samples=dev).load("rte")
    tokenizer = load_tokenizer(pretrained())
    task = task_spec(whole)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=12,
        hidden_size=768,
        num_attention_heads=12,
        intermediate_size=3072,
        id2label=dict(enumerate(task.labels)),
        label2id={label: index for index, label in enumerate(task.labels)},
    )
    teacher = BertForSequenceClassification(config)
    with quiet():
        save_student(teacher, tokenizer, folder / "teacher")

    def coded(split: Split) -> Encoded:
        return encode(split, tokenizer, max_length=length, regression=False, cache=folder)

    return Place(folder, task, coded(whole.train), coded(next(iter(whole.dev.values()))))
