"""A copy of a teacher whose classes stand in another order than the data's, with its outputs in their order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from raykd.errors import UserError, unknown
from raykd.models.classifier import Head, has_head, head_names, load_config, load_weights, set_labels
from raykd.models.save import save_student
from raykd.models.source import full_digest
from raykd.models.tokenizer import load_tokenizer
from raykd.outputs import OutputFolder


def parse_label_map(text: str, labels: tuple[str, ...]) -> tuple[int, ...]:
    """Read ``0=world,1=sport,...``: which class of the data each output of the teacher is.

    Args:
        text: The outputs by number, each with the name of its class.
        labels: The data's classes.

    Returns:
        For each output of the teacher the index of its class.

    Raises:
        UserError: All that is wrong: numbers and classes that are not there, twice there, or left out.
    """
    if not labels:
        raise UserError("label-map is for tasks of classes: this one has none")
    problems, found = [], dict[int, int]()
    for part in re.split(r",(?=\s*(?:LABEL_)?\d+\s*=)", text):
        match = re.fullmatch(r"\s*(?:LABEL_)?(\d{1,6})\s*=\s*(.*?)\s*", part)
        if match is None:
            problems.append(f"label-map '{part.strip()}': write number=class, e.g. 0={labels[0] if labels else 'yes'}")
            continue
        number, name = int(match[1]), match[2]
        if number >= len(labels):
            problems.append(f"label-map {number}={name}: the outputs are 0 to {len(labels) - 1}")
        elif name not in labels:
            problems.append(f"label-map {number}={name}: {unknown('class', name, labels)}")
        elif number in found:
            problems.append(f"label-map names output {number} twice")
        else:
            found[number] = labels.index(name)
    if not problems and len(found) < len(labels):
        absent = [str(number) for number in range(len(labels)) if number not in found]
        problems.append(f"label-map leaves out {', '.join(absent)}: every output must be named")
    if not problems and len(set(found.values())) < len(labels):
        problems.append(f"label-map '{text}': every class must be named once ({', '.join(labels)})")
    if problems:
        raise UserError(*problems)
    return tuple(found[number] for number in range(len(labels)))


def label_map_text(order: tuple[int, ...], labels: tuple[str, ...]) -> str:
    """The value of --label-map for an order (see `parse_label_map`)."""
    return ",".join(f"{number}={labels[index]}" for number, index in enumerate(order))


def relabelled(folder: Path, order: tuple[int, ...], head: Head, root: Path) -> Path:
    """A copy of a classifier whose output for each class stands where the data have it.

    Args:
        folder: The classifier's folder.
        order: For each of its outputs the index of its class.
        head: The classes as the data have them.
        root: Where copies lie; one that is there already is taken.

    Returns:
        The copy's folder.

    Raises:
        UserError: No classifier in `folder`, or one with another number of outputs.
    """
    if not has_head(folder):
        raise UserError(f"label-map is for a teacher with a classifier, and '{folder}' has none")
    config = load_config(folder)
    if config.num_labels != head.size:
        raise UserError(f"'{folder}' answers with {config.num_labels} classes, the data have {head}")
    key = hashlib.sha256(repr((full_digest(folder), order, head.labels)).encode()).hexdigest()[:16]
    target = root / key
    if target.is_dir():
        return target
    names = head_names(config)
    set_labels(config, head)
    model, _ = load_weights(folder, config, attention="sdpa")
    state: Mapping[str, Tensor] = model.state_dict()
    source = [order.index(index) for index in range(head.size)]  # of each class, the output that it was
    with torch.no_grad():
        for name in _outputs(state, names, head.size):
            state[name].copy_(state[name][source].clone())
    return save_student(model, load_tokenizer(folder), OutputFolder(target))


def _outputs(state: Mapping[str, Tensor], names: set[str], size: int) -> list[str]:
    """The weights whose rows are the outputs: the last matrix of the head and its bias."""
    matrices = [name for name in state if name in names and state[name].ndim == 2 and len(state[name]) == size]
    last = matrices[-1]
    bias = last.removesuffix("weight") + "bias"
    return [last, *([bias] if bias in state else [])]
