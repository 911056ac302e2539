"""A frozen teacher's weights are pages of its file: however many processes of a node load it, they are there once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from raykd.models.classifier import Head, load_classifier
from raykd.models.save import save_student
from raykd.models.scratch import scratch_classifier, word_tokenizer


def file_at(address: int) -> str:
    """The file that is mapped there, if any."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= address < last:
            return line.split(maxsplit=5)[5] if len(line.split()) > 5 else ""
    return ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_weights_are_mapped(tmp_path: Path) -> None:
    head, tokenizer = Head(("no", "yes")), word_tokenizer(["a", "b"])
    save_student(scratch_classifier(tokenizer, head, seed=1), tokenizer, tmp_path / "teacher")
    model = load_classifier(tmp_path / "teacher", head).eval().requires_grad_(False)
    large = [weight for weight in model.parameters() if weight.numel() > 10_000]
    assert large
    assert {file_at(weight.data_ptr()) for weight in large} == {str(tmp_path / "teacher" / "model.safetensors")}
