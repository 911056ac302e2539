"""The tokenizer of a model folder, and whether teacher and student read a text alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from raykd.errors import UserError
from raykd.models.quiet import quiet
from raykd.models.source import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# One of these must be there: without any, transformers makes up a tokenizer that knows five words and says nothing.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
# Letters with accents and case, a number, punctuation, a word of rare letters: what normalisers treat differently.
PROBE = ("Déjà Vu: it's 3.14%, OK?", "Straße naïve qqxz")
SHOWN = 5


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer in a checked folder (see source.resolve): pads on the right, no truncation or padding preset.

    Raises UserError: no vocabulary in the folder, no fast tokenizer, more tokens than the model has embeddings.
    """
    from transformers import AutoTokenizer

    if not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        raise UserError(f"'{folder}' holds no tokenizer: looked for {', '.join(VOCABULARIES)}")
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_fast=True, padding_side="right"
            )
    except Exception as error:  # of damaged files: any, from the library's own to AttributeError
        raise UserError(f"'{folder}': the tokenizer cannot be loaded: {error}") from error
    if not tokenizer.is_fast:
        raise UserError(f"'{folder}': {type(tokenizer).__name__} has no fast version; save one as tokenizer.json")
    # Some files carry a preset (all-MiniLM: cut and pad to 128), which would apply to the backend used directly.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    _check_embeddings(tokenizer, folder)
    _check_use(tokenizer, folder)
    fast: PreTrainedTokenizerFast = tokenizer
    return fast


def check_vocabulary(teacher: PreTrainedTokenizerFast, student: PreTrainedTokenizerFast) -> None:
    """UserError unless both give every text the same token ids (scenario S18).

    Compared are the vocabularies and the ids of a probing pair of sentences, which shows different normalisers (cased
    or not) and special tokens. Matters for given students only: a cut or built one uses the teacher's tokenizer.
    """
    known, other = teacher.get_vocab(), student.get_vocab()
    if known != other:
        sizes = f"the teacher's vocabulary has {len(known)} tokens, the student's {len(other)}"
        places = {index: token for token, index in other.items()}
        differing = [
            f"{index}: '{token}' / {_quoted(places.get(index))}"
            for token, index in sorted(known.items(), key=lambda item: item[1])
            if places.get(index) != token
        ]
        first = f"first differing (teacher / student): {', '.join(differing[:SHOWN])}; " if differing else ""
        more = [] if differing else sorted(other.keys() - known.keys(), key=other.__getitem__)
        extra = f"the student alone has {', '.join(map(repr, more[:SHOWN]))}; " if more else ""
        raise UserError(
            f"student and teacher read different tokens: {sizes}; {first}{extra}"
            "take a student with the teacher's vocabulary, or cut or build one"
        )
    pieces = [tokenizer.convert_ids_to_tokens(tokenizer(*PROBE)["input_ids"]) for tokenizer in (teacher, student)]
    if pieces[0] != pieces[1]:
        raise UserError(
            f"student and teacher share {len(known)} tokens but split text differently: '{PROBE[0]}' and '{PROBE[1]}' "
            f"become {' '.join(pieces[0])} (teacher) and {' '.join(pieces[1])} (student)"
        )


def _quoted(token: str | None) -> str:
    return "none" if token is None else f"'{token}'"


def _check_use(tokenizer: Any, folder: Path) -> None:
    """UserError unless it reads a text and a pair: a file may name special tokens that it does not hold."""
    try:
        tokenizer(PROBE[0])
        tokenizer(*PROBE)
    except BaseException as error:  # the backend's own panic is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"'{folder}': the tokenizer fails on a plain text: {error}") from error


def _check_embeddings(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    if not (folder / "config.json").is_file():
        return
    rows = read_json(folder / "config.json").get("vocab_size")
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if isinstance(rows, int) and highest >= rows:
        raise UserError(
            f"'{folder}': the tokenizer gives ids up to {highest}, but the model has {rows} embeddings, 0 to {rows - 1}"
        )
