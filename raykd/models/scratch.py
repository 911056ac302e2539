"""A tokenizer and a small model made from nothing, for the built-in sample on machines without network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raykd.models.classifier import Head, set_labels
from raykd.models.seed import seeded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """One token a word, in lower case, split at spaces and punctuation; special tokens take ids 0 to 4, in BERT's form.

    Words keep the order given, so that the ids depend on `words` alone. What is none of them becomes [UNK].
    """
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    normalizer, splitter = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    pieces = [piece for word in words for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(word))]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*SPECIAL, *pieces]))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        padding_side="right",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def scratch_classifier(
    tokenizer: PreTrainedTokenizerFast,
    head: Head,
    *,
    layers: int = 4,
    hidden: int = 128,
    heads: int = 4,
    intermediate: int = 512,
    max_length: int = 128,
    dropout: float = 0.1,
    seed: int,
) -> PreTrainedModel:
    """A BERT of these sizes with random weights that depend on `seed` alone: float32, on the CPU, in eval mode."""
    from transformers import BertConfig, BertForQuestionAnswering, BertForSequenceClassification

    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=max_length,
        pad_token_id=tokenizer.pad_token_id,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    set_labels(config, head)
    with seeded(seed):
        return (BertForQuestionAnswering if head.span else BertForSequenceClassification)(config).eval()
