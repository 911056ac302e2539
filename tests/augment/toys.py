"""A tiny word-piece tokenizer and random masked language models, saved as folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from raykd.models.quiet import quiet

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "film", "movie", "was", "great", "awful", "garden", "river", "quiet", "in", "a", ".", ","]
PIECES = ["un", "re", "##believ", "##able", "##mark", "##ably", "##s"]
VOCABULARY = [*SPECIAL, *WORDS, *PIECES]


def wordpiece(vocabulary: Sequence[str]) -> PreTrainedTokenizerFast:
    """Uncased BERT's tokenizer with these entries, the special tokens among them."""
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def save_lm(folder: Path, *, seed: int = 0) -> Path:
    """A random BERT with a language-modelling head over VOCABULARY, and its tokenizer."""
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        initializer_range=1.0,  # so that words and places matter
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        BertForMaskedLM(config).save_pretrained(folder)
    wordpiece(VOCABULARY).save_pretrained(folder)
    return folder


def byte_level(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of RoBERTa's kind: these words after a space are one piece each, all else is bytes."""
    marked = [pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(f" {word}")[0][0] for word in words]
    backend = Tokenizer(_merged(marked, sorted(pre_tokenizers.ByteLevel.alphabet())))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return _roberta(backend, processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False))


def sentencepiece(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of SentencePiece's kind: these words are one piece each, all else is letters."""
    marked = [f"\u2581{word}" for word in words]
    backend = Tokenizer(_merged(marked, sorted(set("".join(marked)) | set("abcdefghijklmnopqrstuvwxyz"))))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return _roberta(backend, processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False))


def _merged(words: Sequence[str], alphabet: Sequence[str]) -> models.BPE:
    """Byte pair encoding that builds each word letter by letter."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    merges = dict.fromkeys((word[:end], word[end]) for word in words for end in range(1, len(word)))
    pieces = dict.fromkeys([*special, *alphabet, *(left + right for left, right in merges)])
    return models.BPE({piece: index for index, piece in enumerate(pieces)}, list(merges), unk_token="<unk>")


def _roberta(backend: Tokenizer, frame: processors.RobertaProcessing) -> PreTrainedTokenizerFast:
    backend.post_processor = frame
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )
