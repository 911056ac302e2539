"""Reference values of ``relational/``: CC, SP and PKT on a batch, CRD on a batch and its memories."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from raykd.losses.contrast import crd, embed, first_batch_constants, updated_rows
from raykd.losses.samples import cc, cckd_bilinear, cckd_gaussian, pkt, sp

from .cases import Arrays, Case, Tolerance, compare, gradient, read, uncovered
from .values import Term, compared, floats

SIMILARITY = Tolerance(1e-9, 1e-12)
CRD = Tolerance(1e-8, 1e-11)


def check(path: Path) -> list[Case] | None:
    """The cases of one file, or None where nothing here covers it."""
    name = path.stem.split("__")[0]
    if name == "cc_sp_pkt":
        arrays = read(path)
        return compared(arrays, _similarities(floats(arrays)), {"": SIMILARITY})
    return _contrast(read(path)) if name == "crd" else None


def _similarities(values: dict[str, Tensor]) -> dict[str, Term]:
    student, teacher = values["student"], values["teacher"]
    same, teacher_same = values["student_same_width"], values["teacher_same_width"]
    scale, gamma, max_p = values["cckd_input_scale"], values["gamma"].item(), int(values["max_p"])
    return {
        "cc": Term(same, lambda s: cc(s, teacher_same)),
        "sp": Term(student, lambda s: sp(s, teacher)),
        "pkt": Term(student, lambda s: pkt(s, teacher)),
        "torchdistill_sp_l1": Term(student, lambda s: sp(s, teacher, norm="l1")),
        "torchdistill_cckd_gaussian": Term(
            same, lambda s: cckd_gaussian(scale * s, scale * teacher_same, gamma=gamma, max_p=max_p)
        ),
        "torchdistill_cckd_bilinear": Term(same, lambda s: cckd_bilinear(scale * s, scale * teacher_same)),
    }


def _contrast(arrays: Arrays) -> list[Case]:
    """Two steps: constants and loss, update of the memories, loss of another student batch."""
    values = floats(arrays)
    leaves = {name: values[name].clone().requires_grad_() for name in ("student", "Ws", "Wt", "bs", "bt")}
    v1 = embed(leaves["student"], leaves["Ws"], leaves["bs"])
    v2 = embed(values["teacher"], leaves["Wt"], leaves["bt"])
    memory_v1, memory_v2 = values["memory_v1"], values["memory_v2"]
    contrast_index, temperature = values["contrast_index"], values["tau"].item()

    constants = first_batch_constants(v1, v2, memory_v1, memory_v2, contrast_index, temperature=temperature)
    scored = partial(crd, contrast_index=contrast_index, constants=constants, temperature=temperature)
    loss = scored(v1, v2, memory_v1, memory_v2)
    loss.backward()

    index, momentum = values["index"].long(), values["momentum"].item()
    after_v1 = memory_v1.index_copy(0, index, updated_rows(memory_v1[index], v1, momentum))
    after_v2 = memory_v2.index_copy(0, index, updated_rows(memory_v2[index], v2, momentum))
    again = embed(values["student_step2"], values["Ws"], values["bs"])

    ours = {"step1_loss": loss, "Z_v1": constants[0], "Z_v2": constants[1]}
    ours |= {f"step1_grad_{name}": torch.from_numpy(gradient(leaf)) for name, leaf in leaves.items()}
    ours |= {"memory_v1_after": after_v1, "memory_v2_after": after_v2}
    ours["step2_loss"] = scored(again, v2, after_v1, after_v2)
    return [
        compare(array, ours[array[4:]].detach().numpy(), theirs, CRD) if array[4:] in ours else uncovered(array)
        for array, theirs in arrays.items()
        if array.startswith("out_")
    ]
