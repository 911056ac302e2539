"""What a user may choose about augmentation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from raykd.augment.sentences import Pairs


class Augmentation(BaseModel):
    """How sentences are varied. The published code makes 30 attempts for CoLA, MRPC, RTE and STS-B, 20 for SST-2 and
    QNLI, 10 for MNLI and QQP (CKD's paper: 20, and 2 for MNLI and QQP).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    masked_lm: str | None = Field(None, description="folder or hub name of a masked language model; none = the encoder")
    vectors: str | None = Field(None, description="GloVe text file; none = the language model's own embeddings")
    candidates: int = Field(15, ge=1, description="M: candidates of a word")
    probability: float = Field(0.4, ge=0, le=1, description="p: chance that a word is replaced")
    attempts: int = Field(20, ge=1, description="N: attempts for a text")
    pairs: Pairs = Field("original", description="the first text while the second varies: original, or as published")
    seed: int = Field(1, ge=0, description="of the draws")
