"""Reference values of ``minilm/``: relations of queries, keys and values, as MiniLM and MiniLMv2 sum them."""

from __future__ import annotations

from pathlib import Path

import torch

from raykd.losses.attention_relations import MINILM_V1, MINILM_V2, minilm

from .cases import Arrays, Case, Tolerance, gradient, outcomes, read, tensors

TOLERANCE = Tolerance(relative=1e-9, absolute=1e-11)


def _version(arrays: Arrays, version: str, pairs: tuple[str, ...]) -> dict[str, object]:
    """Our results by the name of their array."""
    inputs = tensors(arrays, torch.float64)
    student, teacher = ({part: inputs[f"in_{whose}_{part}"] for part in "qkv"} for whose in ("student", "teacher"))
    mask, heads = inputs["in_mask"], int(arrays["par_relation_heads"])
    loss = minilm(student, teacher, mask, heads, pairs)
    loss.backward()
    results: dict[str, object] = {f"out_{version}_loss": loss.item()}
    results |= {f"out_{version}_grad_{part}": gradient(leaf) for part, leaf in student.items()}
    single = {pair: minilm(student, teacher, mask, heads, (pair,)).item() for pair in pairs}
    return results | {f"out_{version}_loss_{pair}": value for pair, value in single.items()}


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    if path.stem.split("__")[0] != "relations":
        return None
    arrays = read(path)
    results = _version(arrays, "v1", MINILM_V1) | _version(arrays, "v2", MINILM_V2)
    return outcomes(arrays, {array: (ours, TOLERANCE) for array, ours in results.items()})
