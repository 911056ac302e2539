"""What live recipes look at beside a step's own answers: folders of tiny language models, a corpus, stub networks."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM

from raykd.knowledge.observe import NOWHERE
from raykd.methods.method import Answers
from raykd.methods.seen import LOGITS, Need, Seen
from raykd.models.quiet import quiet
from raykd.tasks.encode import Batch
from tests.kinds import KINDS


@cache
def origin(kind: str, words: int) -> Path:
    """A folder with a random masked language model of 2 layers and so many words, without a tokenizer."""
    folder = Path(tempfile.mkdtemp(prefix=f"origin-{kind}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = KINDS[kind](2)
    config.vocab_size = words
    torch.manual_seed(11)
    with quiet():
        AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    return folder


class Reader(nn.Module):
    """A stub network on word embeddings x: W tanh(mean over tokens of x), or W tanh(x) of each token for a span."""

    def __init__(self, words: int, width: int, outputs: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = nn.Embedding(words, width)
        self.top = nn.Linear(width, outputs)

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, embeddings: Tensor, mask: Tensor, *, span: bool) -> Tensor:
        if span:
            logits: Tensor = self.top(embeddings.tanh()).permute(2, 0, 1).reshape(-1, mask.shape[1])
            return logits.masked_fill(mask.repeat(2, 1) == 0, NOWHERE)
        weights = mask.float().unsqueeze(-1)
        answer: Tensor = self.top(((embeddings * weights).sum(1) / weights.sum(1)).tanh())
        return answer


class Reading:
    """Stands for `observe`: what stub networks say, and the batches they were asked about."""

    def __init__(self, answers: Answers) -> None:
        self.span = answers == "span"
        self.asked: list[tuple[nn.Module, Batch, Tensor]] = []

    def __call__(
        self, model: nn.Module, batch: Batch, needs: Set[Need], *, inputs_embeds: Tensor | None = None
    ) -> Seen:
        assert needs == {LOGITS}
        reader: Any = model
        embeddings = reader.words(batch.input_ids) if inputs_embeds is None else inputs_embeds
        self.asked.append((model, batch, embeddings))
        return Seen({LOGITS: reader(embeddings, batch.attention_mask, span=self.span)})


class Corpus:
    """Texts of these ids and lengths, as Encoded is one."""

    key = "corpus"

    def __init__(self, ids: Tensor, mask: Tensor) -> None:
        self.ids, self.mask = ids, mask

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        chosen = torch.as_tensor(np.asarray(rows), dtype=torch.long)
        return Batch(self.ids[chosen], self.mask[chosen], None, torch.full((len(chosen),), -100), chosen)
