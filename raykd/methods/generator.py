"""The masked language model that invents text against the student: MATE-KD's generator, and Combined-KD's.

Which model: the parameter `generator` names a folder or a hub name; "" is the encoder that the student was cut from.
Where the folder stores no language-modelling head (a fine-tuned classifier does not), the head is fresh, but for its
last map: that is the word table, to which the encoders' configurations tie it. Such a generator fills masks badly at
first, so name a pretrained encoder where there is one. Weights are read from safetensors only, and no remote code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from torch import Tensor, nn

from raykd.errors import UserError
from raykd.methods.method import Pair, Parameters
from raykd.methods.recipe import Scene
from raykd.models.classifier import check_complete, load_config
from raykd.models.language import load_language
from raykd.models.outputs import forward
from raykd.models.positions import longest_input
from raykd.models.seed import seeded
from raykd.models.source import resolve
from raykd.models.tokenizer import check_vocabulary, load_tokenizer
from raykd.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from raykd.tasks.encode import Batch

SEED = 0  # of a fresh head: all workers of a run make the same one


class GeneratorParameters(Parameters):
    """Who invents the text, how much of it, and how it learns."""

    mask_probability: float = Field(0.3, gt=0, le=1, description="of a token that is not special to be masked")
    generator: str = Field("", description="folder or hub name of a masked language model; empty: the student's origin")
    generator_learning_rate: float = Field(5e-7, gt=0, le=1, description="of the generator's AdamW, constant")
    generator_turns: int = Field(10, ge=1, description="the first batches of a cycle, on which the generator learns")
    generator_cycle: int = Field(100, ge=1, description="batches of a cycle; the student learns on all of them")


class Generator(nn.Module):
    """A masked language model that scores masked positions only: it makes [n, V], never [B, L, V]."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, masked: Tensor) -> Tensor:
        """Logits [n, V] of a batch whose ids are masked, at the n positions of `masked` (bool [B, L]), row by row."""

        def masked_only(module: nn.Module, given: Any, output: Any) -> Any:
            output["last_hidden_state"] = output["last_hidden_state"][masked].unsqueeze(0)
            return output

        # A head maps each position by itself, and its product with the whole vocabulary is most of the memory.
        hook = self.model.base_model.register_forward_hook(masked_only)
        try:
            logits = forward(
                self.model,
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                token_type_ids=batch.token_type_ids,
            ).logits
        finally:
            hook.remove()
        return logits.squeeze(0)


def check_tables(pair: Pair) -> None:
    """UserError unless teacher and student have word tables of one size: an invented word is a row of both."""
    teacher, student = pair.teacher.vocabulary, pair.student.vocabulary
    if teacher != student:
        raise UserError(
            f"word embeddings: the student has {student}, the teacher {teacher}; both read what one generator writes, "
            f"so the student needs {teacher} (e.g. cut from the teacher)"
        )


def check_generator(name: str, pair: Pair, origin: Path) -> None:
    """What can be known of the generator `name` ("": the encoder in `origin`) before anything is trained.

    Raises UserError, with all problems at once: a tokenizer without a mask token or other than the teacher's, another
    number of word embeddings; and whatever finding a model raises.
    """
    folder = resolve(name or str(origin), role="generator")
    if problems := _misfits(name, folder, load_config(folder), pair, origin, load_tokenizer(origin).mask_token_id):
        raise UserError(*problems)


def make_generator(name: str, scene: Scene) -> Generator:
    """The generator `name` ("": the scene's origin), float32, on the CPU.

    Raises UserError as check_generator, and for too few positions.
    """
    folder = resolve(name or str(scene.origin), role="generator")
    config = load_config(folder)
    problems = _misfits(name, folder, config, scene.pair, scene.origin, scene.vocabulary.mask)
    positions = longest_input(folder)
    if positions is not None and positions < scene.length:
        problems.append(f"generator '{folder}' reads {positions} tokens, the longest text has {scene.length}")
    if problems:
        raise UserError(*problems)
    return Generator(_load(folder, config))


def _misfits(
    name: str, folder: Path, config: PreTrainedConfig, pair: Pair, origin: Path, mask: int | None
) -> list[str]:
    problems = []
    if mask is None:
        problems.append("the teacher's tokenizer has no mask token (mask_token), which a generator fills: take another")
    tables = pair.teacher.vocabulary, pair.student.vocabulary, config.vocab_size
    if len(set(tables)) > 1:
        sizes = "the teacher has {}, the student {}, the generator {}".format(*tables)
        problems.append(f"word embeddings: {sizes}; invented words are rows of all three: take networks of one size")
    if name:
        problems += _of_tokens(folder, origin)
    return problems


def _of_tokens(folder: Path, origin: Path) -> tuple[str, ...]:
    """What is wrong with the generator's tokenizer, beside that of the encoder which the student was cut from."""
    try:
        check_vocabulary(load_tokenizer(origin), load_tokenizer(folder))
    except UserError as error:
        return tuple(f"generator '{folder}', read for the student here: {problem}" for problem in error.problems)
    return ()


def _load(folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    with seeded(derive_seed(SEED, "generator")):
        model, missing = load_language(folder, config)
    check_complete({name for name in missing if name.startswith(model.base_model_prefix + ".")}, folder)
    return model
