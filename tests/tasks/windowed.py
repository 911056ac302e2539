"""Questions, tokenizers and a way back from labels to answers, for the tests of windows."""

from __future__ import annotations

from random import Random

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from raykd.tasks.data import Split
from raykd.tasks.encode import Encoded
from raykd.tasks.questions import Questions

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def asked(*rows: tuple[str, str, str | None]) -> Split:
    """Questions, contexts and answers that stand there (None: no answer)."""
    answers = [() if text is None else ((context.index(text), text),) for _, context, text in rows]
    return Split(tuple(row[:2] for row in rows), tuple(int(bool(one)) for one in answers), tuple(answers))


def many(n: int = 60) -> Split:
    """Contexts of 1 to 60 one-letter words, questions of 1 to 6, answers of 1 to 3."""
    chance = Random(0)
    texts, answers = [], []
    for _ in range(n):
        question, context = (" ".join(chance.choices(LETTERS, k=chance.randint(1, most))) for most in (6, 60))
        start = 2 * chance.randrange((len(context) + 1) // 2)
        texts.append((question, context))
        answers.append(((start, context[start : start + chance.choice((1, 3, 5))].strip()),))
    return Split(tuple(texts), (1,) * n, tuple(answers))


def byte_pairs(*texts: str) -> PreTrainedTokenizerFast:
    """RoBERTa's kind: bytes, spaces within tokens, <s> question </s></s> context </s>."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )


def recovered(coded: Encoded) -> dict[int, set[str]]:
    """By question, the texts between the labels of those windows that hold an answer."""
    questions = Questions.of(coded)
    found: dict[int, set[str]] = {}
    for window, (start, end) in enumerate(np.asarray(coded.labels)):
        if start:
            found.setdefault(int(questions.rows[window]), set()).add(questions.text(window, int(start), int(end)))
    return found
