"""Loss functions: tensors in, a scalar out. Imports torch and nothing else of raykd.

What a loss wants beside tensors of the two networks (which layers or neighbours, a tree, a memory, a schedule) is made
by functions in the module of that name; only ``align_layers``, which half of the losses want, is here too.
"""

from .adversarial import combined_phase_one, combined_phase_one_bert, divergence, generator_loss, mate_student
from .alignment import align_layers
from .annealing import annealed_mse
from .attention_maps import att_ce, att_ce_mean, att_mse, att_mse_sum
from .attention_relations import minilm, relation_kl
from .attentive_layers import alp
from .centroids import feature_to_centroid_cosine, feature_to_centroid_distance, memory_cka
from .cka import fsd_intra, fsd_local
from .contrast import crd
from .cosine_contrast import cos_nce, softened_hard
from .generations import born_again
from .hidden import attention_mse, cls_patience, cosine_loss, hidden_mse
from .layer_combination import combination_loss, projected_teacher_loss
from .layer_relations import layer_angle, layer_pair_distance, layer_pair_kl
from .logits import hard_cross_entropy, kl_divergence, logits_mse, regression_mse, soft_cross_entropy
from .minimax import selected_kl
from .positions import position_cross_entropy, position_mse
from .rkd import dark_rank, rkd_angle, rkd_distance
from .samples import cc, cckd_bilinear, cckd_gaussian, pkt, sp
from .teacher_free import label_smoothing, self_distillation, virtual_teacher
from .tokens import fsp, mmd
from .tree_loss import all_tokens, all_tokens_frobenius, patience, tree_distillation
from .vocabulary import masked_lm, vocabulary_kl, vocabulary_mse
from .word_relations import word_angle, word_pair_distance, word_pair_kl

# On predictions: of classes, of words, on invented or retrieved text, without a larger teacher.
__all__ = [
    "hard_cross_entropy",
    "kl_divergence",
    "logits_mse",
    "regression_mse",
    "soft_cross_entropy",
]
__all__ += ["position_cross_entropy", "position_mse", "softened_hard"]
__all__ += ["masked_lm", "vocabulary_kl", "vocabulary_mse"]
__all__ += ["annealed_mse", "combined_phase_one", "combined_phase_one_bert"]
__all__ += ["divergence", "generator_loss", "mate_student", "selected_kl"]
__all__ += ["born_again", "label_smoothing", "self_distillation", "virtual_teacher"]

# On hidden states one by one: matched layers, combined layers, trees.
__all__ += ["align_layers", "cls_patience", "cosine_loss", "hidden_mse"]
__all__ += ["alp", "combination_loss", "projected_teacher_loss"]
__all__ += ["all_tokens", "all_tokens_frobenius", "patience", "tree_distillation"]

# On attention: scores, and relations of queries, keys and values.
__all__ += ["att_ce", "att_ce_mean", "att_mse", "att_mse_sum", "attention_mse"]
__all__ += ["minilm", "relation_kl"]

# On relations within a sentence: across its words, across the layers of a word, between two layers.
__all__ += ["word_angle", "word_pair_distance", "word_pair_kl"]
__all__ += ["layer_angle", "layer_pair_distance", "layer_pair_kl"]
__all__ += ["fsd_intra", "fsp", "mmd"]

# On relations between samples: of a batch, or to a memory of embeddings or centroids.
__all__ += ["cc", "cckd_bilinear", "cckd_gaussian", "dark_rank", "fsd_local", "pkt", "rkd_angle", "rkd_distance", "sp"]
__all__ += ["cos_nce", "crd"]
__all__ += ["feature_to_centroid_cosine", "feature_to_centroid_distance", "memory_cka"]
