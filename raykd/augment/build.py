"""A training split with the rows that augmentation adds: made once, kept on disk, continued where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from raykd.augment import shards
from raykd.augment.make import Maker
from raykd.augment.sentences import expand
from raykd.augment.settings import Augmentation
from raykd.errors import UserError
from raykd.models.source import WANTED, resolve
from raykd.paths import expand_home
from raykd.progress import track
from raykd.tasks.data import Split

__all__ = ["Augmentation", "augmented"]

FORMAT = 1  # part of the key: raise it when the shards change

Say = Callable[[str], None]


def augmented(split: Split, settings: Augmentation, model: Path, cache: Path, say: Say) -> Split:
    """The rows of `split`, then the new ones with their original's label.

    model: folder of the encoder, used where the settings name no language model. Each different text is varied once, so
    it has the same variants wherever it comes; its draws depend on the seed and on its place among the texts alone.
    What was made lies in `cache` under a key of texts, settings and files, in shards. A later call reads it; an
    interrupted one goes on there; of two at a time, each keeps what the other made. say: told of progress.
    Raises UserError: rows with answers in their texts, no language model with its head, no (readable) word vectors.
    """
    if split.answers:
        raise UserError("augmentation replaces words, and would lose where answers are: it cannot serve this task")
    texts = list(dict.fromkeys(chain.from_iterable(split.texts)))
    folder = resolve(settings.masked_lm or str(model), role="masked language model")
    glove = expand_home(settings.vectors) if settings.vectors else None
    if glove is not None and not glove.is_file():
        raise UserError(f"word vectors '{glove}': no such file")
    place = cache / _key(texts, settings, folder, glove)
    varied = _varied(place, texts, Maker(settings, folder, glove), say)
    rows, labels = list(split.texts), list(split.labels)
    for row, label in zip(split.texts, split.labels, strict=True):
        new = expand([varied[text] for text in row], settings.pairs)[1:]
        rows += new
        labels += [label] * len(new)
    say(f"augmentation: {len(split):,} rows became {len(rows):,}")
    return Split(tuple(rows), tuple(labels))


def _varied(place: Path, texts: Sequence[str], maker: Maker, say: Say) -> dict[str, list[str]]:
    """The variants of each text; makes the shards that are not there."""
    parts = dict(enumerate(shards.parts(texts)))
    ready = {number: found for number, part in parts.items() if (found := shards.read(place, number, part)) is not None}
    absent = [number for number in parts if number not in ready]
    for number in absent:
        if (file := shards.shard_file(place, number)).exists():
            say(f"augmentation: '{file}' is damaged and made again")
    missing = sum(len(parts[number]) for number in absent)
    if absent:
        say(f"augmentation: {len(texts):,} different texts, {len(texts) - missing:,} of them made before")
    with track("augmentation", missing, "texts") as advance:
        for number in absent:
            part = parts[number]
            found = shards.read(place, number, part)  # another process may have been here since
            if found is None:
                found = maker.make(part, number * shards.SIZE, advance)
                shards.write(place, number, found)
            else:
                advance(len(part))
            ready[number] = found
    return {text: found for number, part in parts.items() for text, found in zip(part, ready[number], strict=True)}


def _key(texts: Sequence[str], settings: Augmentation, folder: Path, glove: Path | None) -> str:
    """Hash of all that the shards depend on; `pairs` only matters after."""
    files = sorted({file for pattern in WANTED for file in folder.glob(pattern)}) + ([glove] if glove else [])
    states = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    chosen = settings.model_dump(exclude={"masked_lm", "vectors", "pairs"})
    digest = hashlib.sha256(json.dumps([FORMAT, shards.SIZE, chosen, states], sort_keys=True).encode())
    digest.update(json.dumps(texts).encode())
    return digest.hexdigest()[:24]
