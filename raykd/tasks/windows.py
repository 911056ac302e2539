"""A question and its context as one or more windows of a fixed length, and where in each the answer lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raykd.errors import UserError
from raykd.progress import counted
from raykd.tasks.data import Answer, Split
from raykd.tasks.encoded import store
from raykd.tasks.row_hashes import row_hashes

CHUNK = 1_000  # questions tokenised at a time


@dataclass(frozen=True)
class Frame:
    """max_length: tokens of a window; question: of them at most for the question; stride: tokens of the context that
    consecutive windows share (what transformers calls doc_stride)."""

    max_length: int
    question: int
    stride: int


@dataclass(frozen=True)
class _Paper:
    """A question and its whole context as tokens: ids, types and chars [n] or [n, 2], the context in between.

    chars: where each token of the context starts and ends in it, in characters; -1 for all others.
    """

    ids: np.ndarray
    types: np.ndarray
    chars: np.ndarray
    before: int  # tokens ahead of the context: [CLS] question [SEP]
    after: int  # tokens behind it: [SEP]
    cut: bool  # the question was longer than its share


def frame_of(tokenizer: Any, max_length: int, stride: int | None) -> Frame:
    """The frame of these settings; UserError where windows would not move on. By default a third of max_length is
    shared, as in the BERT paper's 128 of 384; a question may take another third."""
    question = max(1, max_length // 3)
    room = max_length - question - tokenizer.num_special_tokens_to_add(pair=True)
    if stride is None:
        stride = max(0, min(max_length // 3, room - 1))
    if not 0 <= stride < room:
        raise UserError(
            f"windows of {max_length} tokens may share 0 to {room - 1} of them, not {stride}: a question may take "
            f"{question}, and every window must bring something new"
        )
    return Frame(max_length, question, stride)


def write_windows(folder: Path, split: Split, tokenizer: Any, frame: Frame, key: str) -> None:
    """Writes the windows of every question of the split, in order, for `Encoded` and `Questions` to read."""
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    chars: list[np.ndarray] = []
    labels: list[list[int]] = []
    rows: list[int] = []
    truncated = 0
    for row, paper in enumerate(counted(_papers(split, tokenizer, frame), "tokenising", "questions")):
        truncated += paper.cut
        context = paper.chars[paper.before : len(paper.ids) - paper.after]
        answer = _tokens(context, split.answers[row][0]) if split.answers[row] else None
        for low, high in _windows(len(context), frame.max_length - paper.before - paper.after, frame.stride):
            edge = paper.before + np.array([low, high])
            parts = [slice(0, paper.before), slice(*edge), slice(len(paper.ids) - paper.after, len(paper.ids))]
            for kind, flat in ((ids, paper.ids), (types, paper.types), (chars, paper.chars)):
                kind.append(np.concatenate([flat[part] for part in parts]))
            inside = answer is not None and low <= answer[0] and answer[1] < high
            labels.append([place - low + paper.before for place in answer] if answer and inside else [0, 0])
            rows.append(row)
    arrays: dict[str, np.ndarray] = {
        "ids": np.concatenate(ids).astype(np.int32),
        "offsets": np.concatenate([[0], np.cumsum([len(one) for one in ids])]).astype(np.int64),
        "labels": np.asarray(labels, dtype=np.int64),
        "chars": np.concatenate(chars).astype(np.int32),
        "rows": np.asarray(rows, dtype=np.int64),
        "hashes": row_hashes(split.texts),
    }
    if "token_type_ids" in tokenizer.model_input_names:
        arrays["types"] = np.concatenate(types).astype(np.uint8)
    contexts = {context: number for number, context in enumerate(dict.fromkeys(context for _, context in split.texts))}
    texts = {
        "contexts": list(contexts),
        "context": [contexts[context] for _, context in split.texts],  # of each question
        "answers": [list(dict.fromkeys(text for _, text in answers)) for answers in split.answers],
    }
    store(folder, arrays, tokenizer, key=key, truncated=truncated, texts=texts)


def _papers(split: Split, tokenizer: Any, frame: Frame) -> Iterator[_Paper]:
    for start in range(0, len(split), CHUNK):
        questions, contexts = zip(*split.texts[start : start + CHUNK], strict=True)
        # verbose: transformers would warn of texts that are longer than the model takes, which windows are for
        coded = tokenizer(list(questions), list(contexts), truncation=False, padding=False, verbose=False)
        for encoding in coded.encodings:
            side = np.array([-1 if one is None else one for one in encoding.sequence_ids])
            question, context = (np.flatnonzero(side == one) for one in (0, 1))
            first, last = (context[0], context[-1] + 1) if len(context) else (len(side), len(side))
            keep = np.ones(len(side), dtype=bool)
            keep[question[frame.question :]] = False
            chars = np.where((side == 1)[:, None], np.array(encoding.offsets), -1)
            yield _Paper(
                ids=np.array(encoding.ids)[keep],
                types=np.array(encoding.type_ids)[keep],
                chars=chars[keep],
                before=int(keep[:first].sum()),
                after=len(side) - int(last),
                cut=not keep.all(),
            )


def _windows(tokens: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Which tokens of the context go into each window: from, to (exclusive)."""
    low = 0
    while low + room < tokens:
        yield low, low + room
        low += room - stride
    yield low, tokens


def _tokens(chars: np.ndarray, answer: Answer) -> tuple[int, int] | None:
    """The first and last token of the context that the answer touches; None if it touches none (the tokenizer drops
    control characters). chars: [n, 2], ascending."""
    start, text = answer
    first = int(np.searchsorted(chars[:, 1], start, side="right"))
    last = int(np.searchsorted(chars[:, 0], start + len(text), side="left")) - 1
    return (first, last) if first <= last else None
