"""Every loss of the package by name, as a function of states; which names are none, and why."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from raykd import losses as of
from raykd.losses.attention_relations import MINILM_V1, MINILM_V2
from raykd.losses.attentive_layers import buckets
from raykd.losses.centroids import flatten_features
from raykd.losses.contrast import embed, first_batch_constants

# Student and teacher [K, B, L, D] of one width D >= L, attention_mask [B, L]: a scalar, with a graph to the student.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def cls(states: Tensor) -> Tensor:
    """One vector a sample [B, D], which does for logits too: the first token of the last layer."""
    return states[-1, :, 0]


def classes(states: Tensor) -> Tensor:
    """A label a sample [B]."""
    return torch.arange(states.shape[1]) % states.shape[-1]


def numbers(states: Tensor) -> Tensor:
    """A real label a sample [B]."""
    return torch.linspace(0, 5, states.shape[1])


def scores(states: Tensor) -> Tensor:
    """Raw attention scores [K, B, H, L, L] of two heads."""
    return states[..., : states.shape[-2]].unsqueeze(2).expand(-1, -1, 2, -1, -1)


def rows(states: Tensor, mask: Tensor) -> Tensor:
    """Flattened samples [B, L * D]."""
    return flatten_features(states, mask, states.shape[1])


def to_centroids(loss: Callable[..., Tensor]) -> Loss:
    """The last layer's samples against those of the first, as a memory that learns."""
    return lambda s, t, m: loss(rows(s[-1], m), rows(t[-1], m), rows(s[0], m), rows(t[0], m))


def on_logits(loss: Callable[..., Tensor], *arguments: float) -> Loss:
    return lambda s, t, m: loss(cls(s), cls(t), *arguments)


def on_scores(loss: Callable[..., Tensor], masked: bool) -> Loss:
    return lambda s, t, m: loss(scores(s)[-1], scores(t)[-1], m if masked else None)


def contrast(s: Tensor, t: Tensor, m: Tensor) -> Tensor:
    weight, bias = torch.eye(s.shape[-1])[:5], torch.zeros(5)
    v1, v2 = embed(cls(s), weight, bias), embed(cls(t), weight, bias)
    index = (torch.arange(len(v1)).unsqueeze(1) + torch.arange(4)) % len(v1)
    memories = (v1.detach(), v2.detach(), index)
    constants = first_batch_constants(v1, v2, *memories, temperature=0.07)
    return of.crd(v1, v2, *memories, constants=constants, temperature=0.07)


def relations(states: Tensor) -> dict[str, Tensor]:
    return {"q": states[0], "k": states[-1], "v": states[-1]}


# The first word of a key is the name of the loss; those with several forms have a line for each.
LOSSES: dict[str, Loss] = {
    "hard_cross_entropy": lambda s, t, m: of.hard_cross_entropy(cls(s), classes(s)),
    "kl_divergence": on_logits(of.kl_divergence, 2.0),
    "logits_mse": on_logits(of.logits_mse, 2.0),
    "regression_mse": lambda s, t, m: of.regression_mse(cls(s)[:, :1], numbers(s)),
    "soft_cross_entropy": on_logits(of.soft_cross_entropy, 2.0),
    "position_cross_entropy": lambda s, t, m: of.position_cross_entropy(s[-1], t[-1], 1 + numbers(s)),
    "position_mse": lambda s, t, m: of.position_mse(s[-1], t[-1], 1 + m.float()),
    "softened_hard": lambda s, t, m: of.softened_hard(cls(s), classes(s), 1.1),
    "masked_lm": lambda s, t, m: of.masked_lm(s[-1], torch.where(m.bool(), classes(s).unsqueeze(1), -100)),
    "vocabulary_kl": lambda s, t, m: of.vocabulary_kl(s[-1], t[-1], m, 2.0),
    "vocabulary_mse": lambda s, t, m: of.vocabulary_mse(s[-1], t[-1], m),
    "annealed_mse": on_logits(of.annealed_mse, 0.5),
    "combined_phase_one": lambda s, t, m: of.combined_phase_one(cls(s), cls(t), cls(s[:1]), cls(t[:1]), 0.5),
    "combined_phase_one_bert": lambda s, t, m: of.combined_phase_one_bert(cls(s), cls(t), classes(s), 0.5),
    "divergence cross_entropy": lambda s, t, m: of.divergence(cls(s), cls(t)),
    "divergence kl": lambda s, t, m: of.divergence(cls(s), cls(t), "kl"),
    "divergence mse": lambda s, t, m: of.divergence(cls(s), cls(t), "mse"),
    "generator_loss": lambda s, t, m: of.generator_loss(cls(s), cls(s[:1]), "kl"),  # a gradient to both
    "mate_student": lambda s, t, m: of.mate_student(cls(s), cls(t), cls(s[:1]), cls(t[:1]), classes(s)),
    "selected_kl": lambda s, t, m: of.selected_kl(cls(s), cls(t), torch.tensor([[0, -1], [-1, -1]]), 2.0),
    "born_again": lambda s, t, m: of.born_again(cls(s), cls(t), classes(s)),
    "label_smoothing every": lambda s, t, m: of.label_smoothing(cls(s), classes(s), 0.1, onto="every"),
    "label_smoothing others": lambda s, t, m: of.label_smoothing(cls(s), classes(s), 0.1, onto="others"),
    "self_distillation": on_logits(of.self_distillation, 2.0),
    "virtual_teacher": lambda s, t, m: of.virtual_teacher(cls(s), classes(s)),
    "cls_patience": lambda s, t, m: of.cls_patience(s[:, :, 0], t[:, :, 0]),
    "cosine_loss": of.cosine_loss,
    "hidden_mse": of.hidden_mse,
    "hidden_mse unmasked": lambda s, t, m: of.hidden_mse(s, t),
    "alp": lambda s, t, m: of.alp(s[:, :, 0], t[:, :, 0], buckets(len(s), len(t))),
    "combination_loss": lambda s, t, m: of.combination_loss(list(s), list(t), m),
    "projected_teacher_loss": lambda s, t, m: of.projected_teacher_loss(list(s), list(t), m),
    "all_tokens": of.all_tokens,
    "all_tokens_frobenius": of.all_tokens_frobenius,
    "patience": lambda s, t, m: of.patience(s, t),
    "tree_distillation": lambda s, t, m: of.tree_distillation(s, t, m.unsqueeze(1).expand(len(s), -1, 2, -1)),
    **{
        f"{name}{'' if masked else ' unmasked'}": on_scores(vars(of)[name], masked)
        for name in ("att_ce", "att_ce_mean", "att_mse", "att_mse_sum")
        for masked in (True, False)
    },
    "attention_mse": lambda s, t, m: of.attention_mse(scores(s), scores(t), m),
    "minilm v1": lambda s, t, m: of.minilm(relations(s), relations(t), m, 2, MINILM_V1),
    "minilm v2": lambda s, t, m: of.minilm(relations(s), relations(t), m, 2, MINILM_V2),
    "relation_kl": lambda s, t, m: of.relation_kl(s[0], s[-1], t[0], t[-1], m, 2),
    "word_angle": lambda s, t, m: of.word_angle(s, t, m, delta=None),
    "word_angle near": lambda s, t, m: of.word_angle(s, t, m, delta=1, penalty="smooth_l1"),
    "word_pair_distance": lambda s, t, m: of.word_pair_distance(s, t, m, normalise=True, penalty="l2"),
    "word_pair_distance plain": lambda s, t, m: of.word_pair_distance(
        s, t, m, normalise=True, penalty="l1", squared=False, delta=1
    ),
    "word_pair_kl": of.word_pair_kl,
    "layer_angle": of.layer_angle,
    "layer_pair_distance": lambda s, t, m: of.layer_pair_distance(s, t, m, normalise=True, penalty="l2"),
    "layer_pair_kl": of.layer_pair_kl,
    "fsd_intra": of.fsd_intra,
    "fsd_intra unmasked": lambda s, t, m: of.fsd_intra(s, t, None),
    "fsp": lambda s, t, m: of.fsp((s[0], s[-1]), (t[0], t[-1]), m),
    "mmd": lambda s, t, m: of.mmd((s[0], s[-1]), (t[0], t[-1]), m),
    "cc": on_logits(of.cc),
    "cckd_bilinear": on_logits(of.cckd_bilinear),
    "cckd_gaussian": on_logits(of.cckd_gaussian),
    "dark_rank": on_logits(of.dark_rank),
    "fsd_local": of.fsd_local,
    "pkt": on_logits(of.pkt),
    "rkd_angle": on_logits(of.rkd_angle),
    "rkd_distance": on_logits(of.rkd_distance),
    "sp": on_logits(of.sp),
    "sp l1": lambda s, t, m: of.sp(cls(s), cls(t), norm="l1"),
    "cos_nce flat": lambda s, t, m: of.cos_nce(s, t, m, "flat"),
    "cos_nce token": lambda s, t, m: of.cos_nce(s, t, m, "token"),
    "cos_nce cls": lambda s, t, m: of.cos_nce(s, t, m, "cls"),
    "cos_nce mean": lambda s, t, m: of.cos_nce(s, t, m, "mean"),
    "crd": contrast,
    "feature_to_centroid_cosine": to_centroids(of.feature_to_centroid_cosine),
    "feature_to_centroid_distance": to_centroids(of.feature_to_centroid_distance),
    "memory_cka": lambda s, t, m: of.memory_cka(rows(s[-1], m), rows(t[-1], m)),
}

# Exported, but no loss.
EXEMPT = {"align_layers": "numbers of layers: no tensor goes in or comes out"}

# Public functions of the modules that are not exported, by why they are no loss of their own.
PARTS = {
    "choices of layers, neighbours, tokens or examples, and schedules: no gradient": """
        alignment.align_layers attentive_layers.buckets layer_combination.allowed_combinations
        layer_combination.layer_sets annealing.annealed_scale annealing.annealing_temperature
        minimax.allowed_neighbours minimax.angular_distance minimax.hardest minimax.largest minimax.neighbour_kl
        tree.random_nodes tree.tree_counts tree.tree_lists tree.tree_nodes
        windows.condensed windows.corner_counts windows.half_band windows.in_windows
        gumbel.mask_tokens dynamic_temperature.cwsm dynamic_temperature.flsw""",
    "memories, made or updated without gradient": """
        clustering.draw_rows clustering.kmeans clustering.published_memory clustering.published_spread
        contrast.first_batch_constants contrast.updated_rows""",
    "what networks read or targets are made of": """
        gumbel.mixed_embeddings gumbel.straight_through perturbation.perturb generations.ensemble
        teacher_free.virtual_targets layer_combination.concatenated attention_relations.split_heads
        centroids.flatten_features contrast.embed""",
    "terms and sums that the losses of the table are made of": """
        angles.angle_sum angles.window_angle_sum corners.corner_sum
        attention_relations.relation attentive_layers.layer_weights cosine_contrast.cos_nce_terms
        relations.pair_distance_sum relations.pair_kl_sum relations.reduce_layers
        penalties.penalise penalties.slope pieces.summed
        cka.cka cka.hsic cka.minus_log cka.alignment cka.fsd_intra_of centroids.feature_to_centroid_distance_of
        centroids.feature_to_centroid_cosine_of centroids.memory_cka_of centroid_products.centroid_relations
        centroid_products.relations_and_gram centroid_products.memory_gram centroids.about_mean
        centroids.centroid_cosines centroids.centroid_distances
        centroids.squared_centroid_distances centroids.squared_distances_to""",
    "losses of relations that are given, which those of states call": """
        attention_relations.minilm_of attention_relations.relation_kl_of
        layer_relations.layer_angle_of layer_relations.layer_pair_of
        word_relations.word_angle_of word_relations.word_pair_of""",
    "relations": """
        attention_relations.relation_scores distances.layer_distances distances.layer_pairs
        distances.sample_distance_matrix distances.sample_distances distances.word_distances
        products.point_cosines products.point_distances""",
    "arithmetic": """
        cka.word_gram grams.centred_gram grams.of_norm_one grams.double_centred grams.clear_of_noise
        geometry.centred geometry.gram pieces.numbers_at_once pieces.pieces
        precision.widened precision.without_autocast unit.unit""",
}
