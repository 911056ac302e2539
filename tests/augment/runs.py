"""Small splits, and short calls of the whole augmentation."""

from __future__ import annotations

from pathlib import Path

from raykd.augment.build import Augmentation, augmented
from raykd.tasks.data import Split

SETTINGS = Augmentation(candidates=6, probability=0.5, attempts=4)
SINGLE = Split(
    tuple(
        (f"The movie was {word} in a river{n}",) for n, word in enumerate(("great", "awful", "quiet", "great", "re"))
    ),
    (1, 0, 1, 1, 0),
)
PAIRS = Split((("a great film", "The film was awful"), ("a great film", "unbelievable")), (0.5, 4.0))


def build(split: Split, model: Path, cache: Path, settings: Augmentation = SETTINGS) -> Split:
    """The augmented split, without a word."""
    return augmented(split, settings, model, cache, lambda line: None)


def files(cache: Path) -> list[Path]:
    """The shards of all keys."""
    return sorted(cache.glob("*/*"))
