"""How many tokens an encoder takes, by the same rule for every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from raykd.errors import UserError
from raykd.models.positions import check_length, longest_input
from raykd.models.scratch import word_tokenizer

SIZES = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
KINDS: dict[str, dict[str, Any]] = {
    "bert": {}, "electra": {"embedding_size": 16}, "roberta": {"pad_token_id": 1}, "xlm-roberta": {"pad_token_id": 1},
    "camembert": {"pad_token_id": 1}, "mpnet": {"pad_token_id": 1}, "albert": {"embedding_size": 16},
    "nystromformer": {}, "yoso": {}, "mra": {}, "roformer": {}, "ibert": {"pad_token_id": 1},
    "longformer": {"pad_token_id": 1, "attention_window": 4}, "modernbert": {"pad_token_id": 0},
}  # fmt: skip


def save(folder: Path, kind: str, positions: int) -> Any:
    """A model of this kind with so many positions, and its tokenizer."""
    config = AutoConfig.for_model(kind, **{**SIZES, **KINDS[kind]}, max_position_embeddings=positions)
    model = AutoModel.from_config(config)
    model.save_pretrained(folder)
    word_tokenizer([f"w{number}" for number in range(30)]).save_pretrained(folder)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_as_it_takes(kind: str, tmp_path: Path) -> None:
    """A row of that length goes through, one longer does not; rotary positions end where the model was trained."""
    model = save(tmp_path, kind, 24)
    most = longest_input(tmp_path)
    offset = 2 if KINDS[kind].get("pad_token_id") == 1 else 0
    assert most == 24 - offset
    with torch.no_grad():
        model(input_ids=torch.full((1, most), 5))
        if kind not in ("modernbert", "longformer"):
            with pytest.raises((IndexError, RuntimeError)):
                model(input_ids=torch.full((1, most + 1), 5))


def test_relative_positions_have_no_limit(tmp_path: Path) -> None:
    config = AutoConfig.for_model("deberta-v2", **SIZES, relative_attention=True, position_biased_input=False)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    assert longest_input(tmp_path) is None


def test_too_long_is_refused_with_what_may_be(tmp_path: Path) -> None:
    """CASES 22."""
    save(tmp_path, "roberta", 514)
    check_length("teacher", tmp_path, 512)
    with pytest.raises(UserError, match=r"max-length is 514: teacher .* has positions for 512 tokens, so .* 1 to 512"):
        check_length("teacher", tmp_path, 514)
