"""Loss functions: tensors in, a scalar out. Imports torch and nothing else of raykd."""

from .alignment import align_layers
from .hidden import attention_mse, cls_patience, hidden_mse
from .layer_relations import layer_angle, layer_pair_distance, layer_pair_kl
from .logits import hard_cross_entropy, kl_divergence, logits_mse, regression_mse, soft_cross_entropy
from .word_relations import word_angle, word_pair_distance, word_pair_kl

__all__ = [
    "align_layers",
    "attention_mse",
    "cls_patience",
    "hard_cross_entropy",
    "hidden_mse",
    "kl_divergence",
    "layer_angle",
    "layer_pair_distance",
    "layer_pair_kl",
    "logits_mse",
    "regression_mse",
    "soft_cross_entropy",
    "word_angle",
    "word_pair_distance",
    "word_pair_kl",
]
