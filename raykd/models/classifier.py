"""A model with a head from a folder: classifier or span finder, its labels, what must agree before training."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raykd.errors import UserError
from raykd.models.outline import check_sizes, outline
from raykd.models.quiet import quiet
from raykd.models.source import read_json, weight_names
from raykd.models.tokenizer import check_vocabulary, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

__all__ = ["Attention", "Head", "check_vocabulary", "has_head", "load_classifier", "load_config", "load_tokenizer"]

Attention = Literal["sdpa", "eager"]
MOST_LABELS = 1_000_000


@dataclass(frozen=True)
class Head:
    """What a model answers: the label names in the order of the logits; () is one real number (regression).

    span: where an answer starts and ends among the tokens instead; it has no labels.
    """

    labels: tuple[str, ...]
    span: bool = False

    def __post_init__(self) -> None:
        if self.span and self.labels:
            raise UserError(f"labels {list(self.labels)}: a span of the text has none")
        if len(self.labels) == 1 or len(set(self.labels)) != len(self.labels):
            raise UserError(f"labels {list(self.labels)}: give two or more different names, or none for a real number")

    @property
    def size(self) -> int:
        """The number of logits; of each token for a span."""
        return 2 if self.span else len(self.labels) or 1

    def __str__(self) -> str:
        if self.span:
            return "the start and end of an answer"
        return f"{self.size} labels {_numbered(self.labels)}" if self.labels else "one real number"


def load_config(folder: Path) -> PreTrainedConfig:
    """The configuration in a checked folder (see source.resolve); UserError if its model type is no known encoder."""
    from transformers import AutoConfig
    from transformers.models.auto import MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    answers = read_json(folder / "config.json").get("num_labels")
    if isinstance(answers, int) and answers > MOST_LABELS:  # each would be given a name
        raise UserError(f"'{folder}': config.json: num_labels is {answers}: at most {MOST_LABELS:,} are wanted")
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # of odd values: any, some of them the validators' own
        raise UserError(f"'{folder}': transformers cannot read config.json: {error}") from error
    # Masked language modelling sets encoders apart from decoders, which may have a sequence classifier too.
    kinds = (MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, MODEL_FOR_MASKED_LM_MAPPING)
    decodes = config.is_encoder_decoder or vars(config).get("is_decoder", False)
    if decodes or not all(type(config) in kind for kind in kinds):
        raise UserError(f"'{folder}': a {config.model_type} model is not an encoder with a sequence classifier")
    try:
        check_sizes(config)
    except UserError as error:
        raise UserError(*(f"'{folder}': config.json: {problem}" for problem in error.problems)) from None
    return config


def auto_class(config: PreTrainedConfig, *, span: bool) -> Any:
    """The library's Auto class that builds this head; UserError where the architecture has no such head."""
    from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification
    from transformers.models.auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING

    if span and type(config) not in MODEL_FOR_QUESTION_ANSWERING_MAPPING:
        raise UserError(f"a {config.model_type} model has no head for spans: take another encoder for this task")
    return AutoModelForQuestionAnswering if span else AutoModelForSequenceClassification


def set_labels(config: PreTrainedConfig, head: Head) -> None:
    """Write the head into a configuration, in place, so that the saved model names its labels itself."""
    names = head.labels or tuple(f"LABEL_{index}" for index in range(head.size))
    config.id2label = dict(enumerate(names))
    config.label2id = {name: index for index, name in enumerate(names)}
    config.problem_type = None
    if not head.span:
        config.problem_type = "single_label_classification" if head.labels else "regression"


def has_head(folder: Path, *, span: bool = False) -> bool:
    """Whether the folder holds a sequence classifier (or a span finder): config.json says so, and every weight of the
    head is stored."""
    config = load_config(folder)
    ends = ("ForQuestionAnswering", "ForQuestionAnsweringSimple") if span else ("ForSequenceClassification",)
    named = any(str(name).endswith(ends) for name in config.architectures or ())
    return named and not head_names(config, span=span) - weight_names(folder)


def head_names(config: PreTrainedConfig, *, span: bool = False) -> set[str]:
    """The names of the weights outside the encoder, e.g. {"classifier.weight", "classifier.bias"} for BERT."""
    model = outline(auto_class(config, span=span), config)
    return {name for name in model.state_dict() if not name.startswith(model.base_model_prefix + ".")}


def load_classifier(folder: Path, head: Head, *, attention: Attention = "sdpa") -> PreTrainedModel:
    """The model in `folder`, float32, on the CPU, in eval mode, its configuration carrying the labels of `head`.

    A bare encoder gets a fresh head from torch's default generator, which the caller seeds. attention: "eager" where
    attention maps are wanted; with "sdpa", architectures that have no SDPA code (DeBERTa) still take eager.
    Raises UserError: other labels or another order than the stored head's, no head for spans in this architecture,
    damaged or incomplete weights.
    """
    config = load_config(folder)
    if not head.span and has_head(folder):
        check_labels(config, head, folder)
    set_labels(config, head)
    model, missing = load_weights(folder, config, attention=attention, span=head.span)
    check_complete({name for name in missing if name.startswith(model.base_model_prefix + ".")}, folder)
    return model


def load_weights(
    folder: Path, config: PreTrainedConfig, *, attention: Attention, span: bool = False
) -> tuple[PreTrainedModel, set[str]]:
    """The model of this configuration with the stored weights, and the names of those that were not stored."""
    return read_weights(auto_class(config, span=span), folder, config, **attention_option(attention))


def read_weights(kind: Any, folder: Path, config: PreTrainedConfig, **options: Any) -> tuple[PreTrainedModel, set[str]]:
    """The model that the auto class `kind` makes, float32, on the CPU, and the names of the weights not stored.

    From safetensors only, without remote code. UserError where they cannot be read.
    """
    import torch

    try:
        with quiet(), torch.device("cpu"):
            model, info = kind.from_pretrained(
                str(folder),
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # of damaged files and odd sizes: any, AssertionError among them
        raise UserError(f"'{folder}': the weights cannot be loaded: {error}") from error
    # A sum is one pass over the numbers, and finite only if all of them are.
    broken = [name for name, weight in model.named_parameters() if not torch.isfinite(weight.sum())]
    if broken:
        raise UserError(f"'{folder}': {len(broken)} weights hold NaN or infinity, e.g. {', '.join(broken[:3])}")
    return model, set(info["missing_keys"])


def check_complete(missing: Collection[str], folder: Path) -> None:
    """UserError if weights of the encoder are missing; a pooler may be, language modelling stores none."""
    inner = sorted(name for name in missing if "pooler" not in name)
    if inner:
        raise UserError(f"'{folder}': {len(inner)} weights of the encoder are not stored, e.g. {', '.join(inner[:3])}")


def attention_option(attention: Attention) -> dict[str, Any]:
    """Nothing for "sdpa": it is the library's own choice for every architecture that has it, and eager for the rest."""
    if attention not in ("sdpa", "eager"):
        raise UserError(f"attention '{attention}': allowed are sdpa, eager")
    return {} if attention == "sdpa" else {"attn_implementation": attention}


def check_labels(config: PreTrainedConfig, head: Head, folder: Path) -> None:
    """UserError unless the stored head answers what `head` says (scenario S17).

    Names are compared without regard to case, "-", "_" and spaces. A head without names (LABEL_0, LABEL_1, ...) and
    data whose labels are the bare numbers 0, 1, ... say nothing about order: then the number alone must agree.
    """
    stored = tuple(str(name) for _, name in sorted((config.id2label or {}).items()))
    both = f"the model's map is {_numbered(stored)}, the data's is {_numbered(head.labels)}"
    if len(stored) != head.size:
        raise UserError(f"'{folder}' answers with {len(stored)} number(s), the data want {head}: {both}")
    plain = tuple(str(index) for index in range(head.size))
    nameless = stored in (tuple(f"LABEL_{index}" for index in plain), plain) or head.labels in ((), plain)
    given, wanted = [_plain(name) for name in stored], [_plain(name) for name in head.labels]
    if sorted(given) == sorted(wanted):
        if given != wanted:
            order = ",".join(f"{index}={head.labels[wanted.index(name)]}" for index, name in enumerate(given))
            raise UserError(
                f"'{folder}': the labels of model and data are in another order: {both}. To take it as it names them: "
                f"--label-map {shlex.quote(order)}"
            )
    elif not nameless:
        raise UserError(
            f"'{folder}': model and data name their labels differently: {both}. Correct id2label in config.json"
        )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


def _numbered(labels: tuple[str, ...]) -> str:
    return (
        "{" + ", ".join(f"{index}: {name}" for index, name in enumerate(labels)) + "}" if labels else "one real number"
    )
