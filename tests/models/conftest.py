"""Tiny teachers of every architecture, saved as folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MobileBertConfig,
    MobileBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from raykd.models.quiet import quiet

LAYERS = 6
VOCABULARY = 40


def tiny(kind: str, layers: int = LAYERS) -> PreTrainedModel:
    """A random model of one architecture, 16 wide; `bert-bare` has no classifier."""
    usual = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 32,
    }
    distil = {"vocab_size": VOCABULARY, "dim": 16, "n_layers": layers, "n_heads": 2, "hidden_dim": 24}
    makers: dict[str, Callable[[], PreTrainedModel]] = {
        "bert": lambda: BertForSequenceClassification(BertConfig(**usual)),
        "bert-bare": lambda: BertModel(BertConfig(**usual)),
        "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**usual, type_vocab_size=1)),
        "distilbert": lambda: DistilBertForSequenceClassification(DistilBertConfig(**distil)),
        "electra": lambda: ElectraForSequenceClassification(ElectraConfig(**usual, embedding_size=8)),
        "mobilebert": lambda: MobileBertForSequenceClassification(
            MobileBertConfig(**usual, embedding_size=8, intra_bottleneck_size=8)
        ),
        "deberta-v2": lambda: DebertaV2ForSequenceClassification(
            DebertaV2Config(**usual, relative_attention=True, pos_att_type=["p2c", "c2p"])
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
            with quiet():
                tiny(kind).save_pretrained(folder)
        return folder

    return save
