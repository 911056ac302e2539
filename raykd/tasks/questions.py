"""What the questions of a tokenised split are judged by: contexts, right answers, and which window asks which."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from raykd.tasks.encoded import TEXTS, Encoded


@dataclass(frozen=True)
class Questions:
    """Q questions in N windows of at most W tokens."""

    rows: np.ndarray  # [N] the question of each window, ascending
    lengths: np.ndarray  # [N] tokens of each window
    chars: np.ndarray  # [N, W, 2] where a token of the context starts and ends in it, in characters; -1 for others
    contexts: list[str]  # of each question
    answers: list[list[str]]  # of each question; none: the context does not answer it

    @classmethod
    def of(cls, split: Encoded) -> Questions:
        """Reads what lies beside the windows. Raises ValueError for a split without questions, or a damaged one."""
        if not (split.folder / TEXTS).is_file():
            raise ValueError(f"{split.folder} holds no questions")
        texts = json.loads((split.folder / TEXTS).read_text(encoding="utf-8"))
        rows, flat = (np.load(split.folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "chars"))
        chars = np.full((len(split), int(split.lengths.max()), 2), -1, dtype=np.int32)
        chars[np.arange(chars.shape[1]) < split.lengths[:, None]] = flat
        contexts = [texts["contexts"][number] for number in texts["context"]]
        return cls(rows, split.lengths, chars, contexts, texts["answers"])

    def __len__(self) -> int:
        return len(self.contexts)

    @property
    def first(self) -> np.ndarray:
        """[Q] the first window of each question."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    def text(self, window: int, start: int, end: int) -> str:
        """What stands in the context between two tokens of a window, both included."""
        low, high = int(self.chars[window, start, 0]), int(self.chars[window, end, 1])
        return self.contexts[int(self.rows[window])][low:high].strip()


def about(split: Encoded) -> str:
    """How a split of questions fell into windows, for a person."""
    questions = Questions.of(split)
    told = np.zeros(len(questions), dtype=bool)
    told[questions.rows[np.asarray(split.labels)[:, 0] > 0]] = True
    lost = sum(bool(answers) and not held for answers, held in zip(questions.answers, told, strict=True))
    said = f"{len(questions):,} questions in {len(split):,} windows"
    said += f", {split.truncated:,} cut short" if split.truncated else ""
    return said + (f", {lost:,} with an answer that no window holds whole" if lost else "")
