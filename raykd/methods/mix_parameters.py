"""The hyperparameters of `mix`: a weight for every term, and the settings that terms share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from raykd.methods.method import Parameters

Alignment = Literal["emb+skip", "uniform", "final", "emb", "emb+final", "triple"]


def _weight(of: str, default: float = 0.0) -> Any:
    return Field(default, ge=0, description=f"weight of {of}")


class MixParameters(Parameters):
    """Weights of 0 leave terms out, and what they would ask of the pair with them."""

    hard: float = _weight("the labels' loss", 0.1)
    soft: float = _weight("T^2 KL on the teacher's logits", 0.9)
    logits_mse: float = _weight("the squared difference of logits")

    word_pair: float = _weight("distances between the words of a layer (ckd)")
    word_angle: float = _weight("angles between the words of a layer (ckd)")
    layer_pair: float = _weight("distances between the layers of a word (ckd)")
    layer_angle: float = _weight("angles between the layers of a word (ckd)")
    hidden: float = _weight("hidden states through a map, summed over layers (tinybert)")
    hidden_cosine: float = _weight("the cosine of hidden states, mean over layers (distilbert)")
    cls_patience: float = _weight("[CLS] vectors of norm 1, mean over layers, the last one too (PT of tkd)")
    alp: float = _weight("[CLS] vectors and an attention-weighted mean of all teacher layers (alp_kd)")
    cos_nce: float = _weight("hidden states contrasted within the batch, summed over layers (lrc_bert)")
    tree: float = _weight("head slices at the nodes of the student's attention tree (tkd)")
    attention: float = _weight("raw attention scores, summed over layers (tinybert)")
    relation_qk: float = _weight("query-key relations, mean over layers (minilm, with its heads)")
    relation_qq: float = _weight("query-query relations, mean over layers (minilmv2)")
    relation_kk: float = _weight("key-key relations, mean over layers (minilmv2)")
    relation_vv: float = _weight("value-value relations, mean over layers (minilm, minilmv2)")
    cka_intra: float = _weight("the CKA of a sample's tokens, mean over layers (fsd)")
    cka_local: float = _weight("the CKA of a batch's samples, mean over layers (fsd)")
    fsp: float = _weight("the flow from one matched layer to the next (TextBrewer)")
    mmd: float = _weight("inner products of the tokens of a layer, mean over layers (TextBrewer)")
    rkd_distance: float = _weight("distances between samples, [CLS] of the last layer (rkd)")
    rkd_angle: float = _weight("angles between samples, [CLS] of the last layer (rkd)")
    sp: float = _weight("similarities of samples, [CLS] of the last layer (sp)")
    pkt: float = _weight("the distribution over samples, [CLS] of the last layer (pkt)")

    temperature: float = Field(2.0, gt=0, description="T of the soft term")
    smoothing: float = Field(0.0, ge=0, lt=1, description="mass that the hard term spreads over all classes")
    alignment: Alignment = Field("emb+skip", description="which layers of the two networks are matched")
    delta: int = Field(10, ge=1, description="words on either side that a word relates to (word_pair, word_angle)")
    relation_heads: int = Field(0, ge=0, description="heads of the relations; 0: 16 wide in the teacher, as minilmv2")
    children: int = Field(2, ge=1, description="children of a node (tree)")
    inner_first: float = Field(0.0, ge=0, lt=1, description="fraction of the run that trains on inner terms alone")
