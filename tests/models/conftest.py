"""Tiny teachers of every architecture, saved as folders."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PreTrainedModel

from raykd.models.quiet import quiet

LAYERS = 6
VOCABULARY = 40


def tiny(kind: str, layers: int = LAYERS) -> PreTrainedModel:
    """A random model of one architecture, 16 wide; `bert-bare` has no classifier."""
    usual: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 32,
    }
    distil: dict[str, Any] = {"vocab_size": VOCABULARY, "dim": 16, "n_layers": layers, "n_heads": 2, "hidden_dim": 24}
    makers: dict[str, Callable[[], PreTrainedModel]] = {
        "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**usual)),
        "bert-bare": lambda: transformers.BertModel(transformers.BertConfig(**usual)),
        "roberta": lambda: transformers.RobertaForSequenceClassification(
            transformers.RobertaConfig(**usual, type_vocab_size=1)
        ),
        "distilbert": lambda: transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**distil)),
        "electra": lambda: transformers.ElectraForSequenceClassification(
            transformers.ElectraConfig(**usual, embedding_size=8)
        ),
        "mobilebert": lambda: transformers.MobileBertForSequenceClassification(
            transformers.MobileBertConfig(**usual, embedding_size=8, intra_bottleneck_size=8)
        ),
        "deberta-v2": lambda: transformers.DebertaV2ForSequenceClassification(
            transformers.DebertaV2Config(**usual, relative_attention=True, pos_att_type=["p2c", "c2p"])
        ),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return makers[kind]().eval()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices gain nothing from threads, and wait for them on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Saves each kind once a session; tests must not write into these folders."""
    root = tmp_path_factory.mktemp("teachers")

    def save(kind: str) -> Path:
        folder = root / kind
        if not folder.exists():
            with quiet(), warnings.catch_warnings():
                # some pairs of transformers and torch warn when DeBERTa's code is imported
                warnings.filterwarnings("ignore", ".torch.jit.script. is deprecated", DeprecationWarning)
                tiny(kind).save_pretrained(folder)
        return folder

    return save
