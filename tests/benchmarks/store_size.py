"""How large the store is, by need and task: ``python -m tests.benchmarks.store_size``.

By calculation, from the lengths of the training rows at 128 tokens; nothing is written. A teacher of 12 layers, 768
wide and 12 heads; a student of 6 layers, so that contextual KD matches seven states. MNLI and QQP are not in every GLUE
folder: for them the official number of rows and an assumed mean length stand, as the table says.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from raykd.knowledge.forms import Facts, bytes_of
from raykd.knowledge.plan import plan, readable_size
from raykd.methods import METHODS
from raykd.methods.method import Pair
from raykd.methods.seen import hidden
from raykd.models.shape import Shape
from raykd.models.tokenizer import load_tokenizer
from raykd.tasks.encode import encode
from raykd.tasks.source import Source
from tests.benchmarks.methods import pretrained

PAIR = Pair(Shape(12, 768, 12, 30522, projected=768), Shape(6, 768, 12, 30522, projected=768))
SHOWN = ("kd", "pkd", "ckd", "fsd_i", "minilm", "fsd", "lrc_bert", "tinybert")
ASSUMED = {"mnli": (392_702, 40), "qqp": (363_846, 30)}  # rows of the training split, tokens a row


def lengths_of(task: str, data: str, cache: Path) -> np.ndarray:
    """Tokens of each training row."""
    split = Source(data).load(task).train
    return encode(split, load_tokenizer(pretrained()), max_length=128, regression=task == "stsb", cache=cache).lengths


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store_size", description=__doc__)
    parser.add_argument("--data", default="../shared/data/glue")
    parser.add_argument("--tasks", nargs="*", default=["rte", "mrpc", "cola", "sst2", "mnli", "qqp"])
    asked = parser.parse_args()
    states = hidden(tuple(range(0, 13, 2)))
    print(f"{'task':6}{'rows':>9}{'tokens':>8}" + "".join(f"{name:>12}" for name in (*SHOWN, "7 states")))
    with tempfile.TemporaryDirectory() as cache:
        for task in asked.tasks:
            known = ASSUMED.get(task)
            lengths = np.full(*known) if known else lengths_of(task, asked.data, Path(cache))
            facts = Facts(768, 12, 3 if task == "mnli" else 2, projected=768)
            sizes = []
            for name in SHOWN:
                needs = METHODS[name].recipe(METHODS[name].parameters(), PAIR).teacher_needs()
                sizes.append(plan(needs, facts, lengths, 10**18).bytes)
            sizes.append(sum(bytes_of(need, facts, lengths) for need in states))
            mean = f"{'~' if known else ''}{lengths.mean():.0f}"
            print(f"{task:6}{len(lengths):9,}{mean:>8}" + "".join(f"{readable_size(size):>12}" for size in sizes))


if __name__ == "__main__":
    main()
