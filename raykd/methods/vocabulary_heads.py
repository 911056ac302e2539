"""The masked language modelling heads of teacher and student: from last hidden states to the vocabulary.

The teacher's is the one stored with the encoder. The student's starts as a copy of it where the two are equally wide,
as the published extraction has it, else fresh; it learns, and its last map is the student's own word table, to which
the encoders' configurations tie it. Either is the architecture's own code, run at chosen positions only.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from raykd.errors import UserError
from raykd.methods.recipe import Scene
from raykd.models.classifier import load_config
from raykd.models.language import check_head, load_language
from raykd.models.quiet import quiet
from raykd.models.shape import Shape

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutput


class VocabularyHeads(nn.Module):
    """Both heads; what trains, and is part of a checkpoint, are the weights of the student's, without its table.

    It is made of two masked language models, which must not share weights, and of which only the heads are kept.
    """

    def __init__(self, student: PreTrainedModel, teacher: PreTrainedModel) -> None:
        super().__init__()
        for model in (student, teacher):
            setattr(model, model.base_model_prefix, _PassOn())
        decoder = student.get_output_embeddings()
        self._table = next(f"{name}.weight" for name, module in student.named_modules() if module is decoder)
        self._sizes = tuple(student.get_parameter(self._table).shape)
        _make_constant(decoder, "weight", torch.empty(0))
        for module in teacher.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                _make_constant(module, name, weight.detach())
        self._student, self._teacher = student, teacher

    def student(self, states: Tensor, table: Tensor) -> Tensor:
        """Logits [n, V] of the student's last hidden states [n, D]; table [V, E]: its word embeddings.

        UserError for a table of other sizes than those of the teacher's kind of head.
        """
        if table.shape != self._sizes:
            given, wanted = (" x ".join(map(str, sizes)) for sizes in (table.shape, self._sizes))
            raise UserError(f"word embeddings: the student's are {given}, its head needs {wanted}; cut or build it")
        answer = functional_call(self._student, {self._table: table}, kwargs=_given(states))
        logits: Tensor = answer.logits
        return logits.squeeze(0)

    def teacher(self, states: Tensor) -> Tensor:
        """Logits [n, V] of the teacher's last hidden states [n, D]."""
        logits: Tensor = self._teacher(**_given(states)).logits
        return logits.squeeze(0)


class _PassOn(nn.Module):
    """Stands where a language model has its encoder: the states it is given are the last hidden states."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> BaseModelOutput:
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=inputs_embeds)


def _given(states: Tensor) -> dict[str, Any]:
    return {"inputs_embeds": states.unsqueeze(0), "return_dict": True}


def _make_constant(module: nn.Module, name: str, value: Tensor) -> None:
    """A weight becomes a buffer: it moves with the module, does not train, and is in no checkpoint."""
    delattr(module, name)
    module.register_buffer(name, value, persistent=False)


def make_heads(scene: Scene) -> VocabularyHeads:
    """The heads for the scene's pair, from the encoder at its origin, on the CPU.

    A fresh head draws from torch's default generator. Raises UserError: no language modelling head stored there, and
    whatever loading raises.
    """
    model, missing = load_language(scene.origin, load_config(scene.origin))
    check_head(missing, scene.origin)
    alike = scene.pair.student.hidden == scene.pair.teacher.hidden
    student = deepcopy(model) if alike else _fresh(scene.origin, scene.pair.student)
    return VocabularyHeads(student, model)


def _fresh(folder: Path, shape: Shape) -> PreTrainedModel:
    from transformers import AutoModelForMaskedLM

    config = load_config(folder)
    config.num_hidden_layers = 1  # of which only the head is kept
    config.hidden_size, config.num_attention_heads = shape.hidden, shape.heads
    with quiet(), torch.device("cpu"):
        model: PreTrainedModel = AutoModelForMaskedLM.from_config(config, dtype=torch.float32)
    return model
