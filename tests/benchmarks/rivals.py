"""Distillation by other people's loops, for sweep_cost: Hugging Face's Trainer and TextBrewer's GeneralDistiller.

Both ask the live teacher at every step and take the objective of raykd's `kd` or `ckd` (paper variant), contextual
relations in their published, plain form: differences of states [B, L, W, D] of every layer. In their favour they
neither evaluate, save nor log, and are handed batches by raykd's own padding (numpy, no tokenizer).
They want ``pip install accelerate textbrewer psutil tensorboard`` (TextBrewer imports the last one unasked).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments, get_linear_schedule_with_warmup

from raykd.losses import align_layers
from raykd.methods.ckd import CKDParameters
from raykd.methods.kd import KDParameters
from raykd.tasks.encode import Encoded
from raykd.train.config import Training
from raykd.train.optimise import make_optimizer
from tests.benchmarks.plain_relations import by_token, plain_layer_angle

WANTED = ("accelerate", "textbrewer", "psutil", "tensorboard")
Inputs = dict[str, Tensor]
Data = DataLoader[Any]
Relation = Callable[[Tensor, Tensor, Tensor], Tensor]


def check_installed() -> None:
    """SystemExit, with what to install, where a package is absent."""
    absent = [name for name in WANTED if find_spec(name) is None]
    if absent:
        raise SystemExit(f"the rivals want packages that are absent: pip install {' '.join(absent)}")


def _window(mask: Tensor, delta: int) -> tuple[Tensor, Tensor]:
    """Positions [L, W] within delta of each token, clamped, and whether both are real tokens [B, L, W]."""
    length, real = mask.shape[1], mask.bool()
    positions = torch.arange(length).unsqueeze(1) + torch.arange(-delta, delta + 1)
    inside = (positions >= 0) & (positions < length)
    positions = positions.clamp(0, length - 1)
    return positions, real.unsqueeze(-1) & real[:, positions] & inside


def word_distance(student: Tensor, teacher: Tensor, mask: Tensor, delta: int) -> Tensor:
    """Distances of words at most delta apart over their mean of a sentence; squared differences; summed over layers."""
    positions, valid = _window(mask, delta)
    others = valid.clone()
    others[..., delta] = False

    def distances(states: Tensor) -> Tensor:
        found = (states[:, positions] - states.unsqueeze(2)).norm(dim=-1)
        return found / ((found * others).sum(dim=(1, 2), keepdim=True) / others.sum(dim=(1, 2), keepdim=True))

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + (distances(ours) - distances(theirs)).square()[others].sum()
    return total / valid.sum()


def word_angle(student: Tensor, teacher: Tensor, mask: Tensor, delta: int) -> Tensor:
    """Cosines [B, L, W, W] of differences, of real neighbours; squared differences; summed over layers."""
    positions, valid = _window(mask, delta)
    counted = valid.unsqueeze(-1) & valid.unsqueeze(-2)

    def cosines(states: Tensor) -> Tensor:
        units = F.normalize(states[:, positions] - states.unsqueeze(2), dim=-1)
        return units @ units.transpose(-1, -2)

    total = student.new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        total = total + ((cosines(ours) - cosines(theirs)).square() * counted).sum()
    return total / valid.sum(dim=-1).square().sum()


def layer_distance(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Distances of the layers [n, K, K] of every real token over their mean."""
    layers = len(student)

    def distances(states: Tensor) -> Tensor:
        found = (states.unsqueeze(1) - states.unsqueeze(2)).norm(dim=-1)
        return found / (found.sum(dim=(1, 2), keepdim=True) / (layers * (layers - 1)))

    difference = distances(by_token(student, mask)) - distances(by_token(teacher, mask))
    return difference.square().sum() / (mask.sum() * layers**2)


@dataclass(frozen=True)
class Objective:
    """The weights of kd, and of contextual relations their weight and loss by name; layers that are compared."""

    alpha: float
    temperature: float
    relations: dict[str, tuple[float, Relation]]
    of_teacher: tuple[int, ...] = ()
    of_student: tuple[int, ...] = ()

    def loss(self, student: nn.Module, teacher: nn.Module, inputs: Inputs) -> Tensor:
        """As anyone would write it for Trainer."""
        states = bool(self.relations)
        outputs = student(**inputs, output_hidden_states=states)
        with torch.no_grad():
            told = teacher(**inputs, output_hidden_states=states)
        t = self.temperature
        soft = F.kl_div(F.log_softmax(outputs.logits / t, -1), F.softmax(told.logits / t, -1), reduction="batchmean")
        loss = (1 - self.alpha) * outputs.loss + self.alpha * t**2 * soft
        if states:
            ours = torch.stack([outputs.hidden_states[layer] for layer in self.of_student])
            theirs = torch.stack([told.hidden_states[layer] for layer in self.of_teacher])
            for weight, relation in self.relations.values():
                loss = loss + weight * relation(ours, theirs, inputs["attention_mask"])
        return loss


def objective_of(method: str, delta: int, teacher_layers: int, student_layers: int) -> Objective:
    """raykd's `kd` or, with this delta, `ckd`, other parameters at their defaults."""
    if method == "kd":
        return Objective(KDParameters().alpha, KDParameters().temperature, {})
    p = CKDParameters(delta=delta)
    relations: dict[str, tuple[float, Relation]] = {
        "word_distance": (p.lambda_ckd, lambda s, t, m: word_distance(s, t, m, delta)),
        "word_angle": (p.lambda_ckd * p.lambda_relation, lambda s, t, m: word_angle(s, t, m, delta)),
        "layer_distance": (p.lambda_ckd, layer_distance),
        "layer_angle": (p.lambda_ckd * p.lambda_relation, plain_layer_angle),
    }
    return Objective(p.alpha, p.temperature, relations, *align_layers(teacher_layers, student_layers))


def inputs_of(train: Encoded, rows: list[int]) -> Inputs:
    """A batch, padded to its longest row, as the arguments of a model."""
    batch = train.batch(rows)
    types = {} if batch.token_type_ids is None else {"token_type_ids": batch.token_type_ids}
    return {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "labels": batch.labels} | types


def loader(train: Encoded, batches: list[list[int]]) -> Data:
    """These batches in this order."""
    rows: Any = range(len(train))  # a row is its number until a batch is made of it
    return DataLoader(rows, batch_sampler=batches, collate_fn=partial(inputs_of, train))


class DistillingTrainer(Trainer):
    """Trainer with a loss and batches that are given."""

    def __init__(self, loss: Callable[[nn.Module, Inputs], Tensor], batches: Data, **given: Any) -> None:
        super().__init__(**given)
        self._loss, self._batches = loss, batches

    def compute_loss(self, model: nn.Module, inputs: Any, *_: Any, **__: Any) -> Tensor:
        return self._loss(model, inputs)

    def get_train_dataloader(self) -> Data:
        return self._batches


def by_trainer(
    teacher: PreTrainedModel, goal: Objective, data: Data, training: Training, student: PreTrainedModel, folder: Path
) -> None:
    """One trial with Hugging Face's Trainer: fused AdamW, linear schedule, nothing evaluated, saved or logged."""
    settings = TrainingArguments(
        output_dir=str(folder), num_train_epochs=1, learning_rate=training.learning_rate,
        warmup_steps=int(training.warmup * len(data)), weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm, optim="adamw_torch_fused", lr_scheduler_type="linear",
        logging_strategy="no", save_strategy="no", eval_strategy="no", report_to="none", disable_tqdm=True,
        remove_unused_columns=False, use_cpu=True, seed=training.seed,
    )  # fmt: skip
    trainer = DistillingTrainer(
        lambda model, inputs: goal.loss(model, teacher, inputs), data, model=student, args=settings,
        train_dataset=data.dataset,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def distiller(teacher: PreTrainedModel, goal: Objective, student: PreTrainedModel, folder: Path) -> Any:
    """TextBrewer's distiller; its soft loss is a cross-entropy without T^2, which goes into the weight."""
    import textbrewer

    def published(relation: Relation) -> Callable[..., Tensor]:
        return lambda ours, theirs, mask: relation(torch.stack(ours), torch.stack(theirs), mask)

    def adaptor(batch: Inputs, outputs: Any) -> dict[str, Any]:
        seen = {"logits": outputs.logits, "losses": outputs.loss, "inputs_mask": batch["attention_mask"]}
        return seen | ({"hidden": outputs.hidden_states} if goal.relations else {})

    matches = []
    for name, (weight, relation) in goal.relations.items():
        textbrewer.register_new("match_Loss", name, published(relation))
        layers = {"layer_T": list(goal.of_teacher), "layer_S": list(goal.of_student)}
        matches.append({**layers, "feature": "hidden", "loss": name, "weight": weight})
    config = textbrewer.DistillationConfig(
        temperature=goal.temperature, kd_loss_type="ce", kd_loss_weight=goal.alpha * goal.temperature**2,
        hard_label_weight=1 - goal.alpha, intermediate_matches=matches,
    )  # fmt: skip
    where = textbrewer.TrainingConfig(output_dir=str(folder), device=torch.device("cpu"), log_dir=None)
    made = textbrewer.GeneralDistiller(where, config, teacher, student, adaptor, adaptor)
    made.save_and_callback = lambda *_: None  # it would save the student after each epoch
    return made


def by_textbrewer(
    teacher: PreTrainedModel, goal: Objective, data: Data, training: Training, student: PreTrainedModel, folder: Path
) -> None:
    """One trial with TextBrewer, with raykd's optimiser and the same schedule and clipping."""
    warm = {"num_warmup_steps": int(training.warmup * len(data)), "num_training_steps": len(data)}
    made = distiller(teacher, goal, student, folder)
    with made:
        made.train(
            make_optimizer(student, training), data, num_epochs=1, max_grad_norm=training.max_grad_norm,
            scheduler_class=get_linear_schedule_with_warmup, scheduler_args=warm,
            output_hidden_states=bool(goal.relations),
        )  # fmt: skip
