"""Model folders that are not what they seem, given as teacher, student or a model to ask."""

from __future__ import annotations

import json
import struct
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.base import ROWS
from tests.fuzz.case import Case, Entry, Folder, Link
from tests.fuzz.sound import teacher_files
from tests.fuzz.values import as_json, changed, damaged

SOUND = teacher_files()
NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    2,
    3,
    7,
    16,
    10**6,
    10**9,
    2**31,
    2**63,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "2",
    "",
    None,
    True,
    [],
    {},
)
CONFIG: dict[str, tuple[Any, ...]] = {
    "model_type": ("bert", "roberta", "distilbert", "gpt2", "t5", "bart", "electra", "mobilebert", "albert",
        "deberta-v2", "nonsense", "", None, 3, [], "modernbert", "llama"),
    "auto_map": ({"AutoModel": "evil.Model"}, {"AutoConfig": "evil--x.C", "AutoTokenizer": ["x.T", None]}, {}, "x", []),
    "architectures": (None, [], ["BertModel"], ["BertForSequenceClassification"], ["Nonsense"],
        "BertForSequenceClassification", [None], [3], {}),
    "id2label": ({}, {"0": "yes", "1": "no"}, {"0": "a"}, {"a": "no"}, {"0": None, "1": 3}, {"1": "no", "5": "yes"},
        [], "x", None, {"0": "no", "1": "no"}, {"0": ["no"], "1": {}}),
    "num_labels": (0, 1, -1, 3, "2", None, 10**9),
    "hidden_act": ("gelu", "nonsense", "", None, 3, []),
    "dtype": ("float16", "bfloat16", "nonsense", 3, None),
    "torch_dtype": ("float16", "nonsense", 3),
    "problem_type": ("regression", "nonsense", 3),
    "is_decoder": (True, "x"),
    "transformers_version": ("99.0", 3, ""),
    "quantization_config": ({"quant_method": "bitsandbytes"}, {}, "x", {"quant_method": "nonsense"}),
    "attn_implementation": ("nonsense", "flash_attention_2", 3),
    "_attn_implementation": ("nonsense", "flash_attention_2"),
    "layer_types": ([], ["full_attention"], "x"),
    "rope_scaling": ({"type": "x"}, 3),
    "pruned_heads": ({"0": [0]}, {"0": [99]}, [], "x"),
    "tie_word_embeddings": ("x", False),
    "pad_token_id": (-1, 10**9, "x", None),
    **dict.fromkeys(("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size"), NUMBERS),
    **dict.fromkeys(("vocab_size", "max_position_embeddings", "type_vocab_size"), NUMBERS),
    **{name: (-1, 0.5, 2, float("nan"), "x", None) for name in ("hidden_dropout_prob", "attention_probs_dropout_prob",
        "layer_norm_eps", "initializer_range")},
}  # fmt: skip
STRANGE: tuple[Entry, ...] = (Folder(), Link("nowhere"), Link("/dev/null"), b"", b"{}", b"[]", b"null", b"\x00" * 64)


@st.composite
def _config(draw: st.DrawFn) -> bytes:
    value = json.loads(SOUND["config.json"])
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(sorted(CONFIG)))
        value[key] = draw(st.sampled_from(CONFIG[key]))
        if draw(st.integers(0, 9)) == 0:
            del value[key]
    return as_json(value)


@st.composite
def _weights(draw: st.DrawFn) -> bytes:
    """Stored tensors: cut off, or with another header than content."""
    content = SOUND["model.safetensors"]
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    how = draw(st.sampled_from(["cut", "header", "header", "length", "values"]))
    if how == "cut":
        return content[: draw(st.integers(0, len(content) - 1))]
    if how == "length":
        return struct.pack("<Q", draw(st.sampled_from([0, 1, size - 1, size + 1, 2**40, 2**64 - 1]))) + content[8:]
    if how == "values":  # not numbers, every one of them
        return content[: 8 + size] + b"\xff" * (len(content) - 8 - size)
    odd: st.SearchStrategy[Any] = st.sampled_from(
        [0, -1, 2**63, "F16", "F64", "I64", "X", [], [16], [0, 0], [10**12, 10**12], None, {}]
    )
    spoilt = as_json(draw(changed(header, most=2, odd=odd)))
    return struct.pack("<Q", len(spoilt)) + spoilt + content[8 + size :]


@st.composite
def _folder(draw: st.DrawFn) -> dict[str, Entry]:
    files: dict[str, Entry] = dict(SOUND)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*SOUND, "config.json", "config.json", "config.json", "model.safetensors"]))
        how = draw(st.sampled_from(["sense", "sense", "sense", "damage", "strange", "drop", "more"]))
        if how == "drop":
            files.pop(name, None)
        elif how == "strange":
            files[name] = draw(st.sampled_from(STRANGE))
        elif how == "damage":
            files[name] = draw(damaged(SOUND[name]))
        elif how == "more":
            more = draw(
                st.sampled_from(
                    [
                        "pytorch_model.bin",
                        "model.safetensors.index.json",
                        "adapter_config.json",
                        "vocab.txt",
                        "added_tokens.json",
                        "special_tokens_map.json",
                        "tf_model.h5",
                        "modeling_x.py",
                        "generation_config.json",
                    ]
                )
            )
            index = as_json(
                {
                    "weight_map": draw(
                        st.sampled_from(
                            [{"a": "../x"}, {"a": "s-1.safetensors"}, {}, [], "x", {"a": 3}, {"a": "\x00"}, {"a": ""}]
                        )
                    )
                }
            )
            files[more] = draw(st.sampled_from([b"", b"{}", b"[]", b"x", index, index]))
            if draw(st.booleans()):
                files.pop("model.safetensors", None)
        elif name == "config.json":
            files[name] = draw(_config())
        elif name == "model.safetensors":
            files[name] = draw(_weights())
        else:
            files[name] = as_json(draw(changed(json.loads(SOUND[name]), most=2)))
    return {f"t/{name}": entry for name, entry in files.items()}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A command that would load the folder ``t``."""
    files = draw(_folder())
    line = draw(
        st.sampled_from(
            [
                ("tune", *ROWS, "--teacher", "t", "--method", "kd"),
                ("tune", *ROWS, "--teacher", "t", "--method", "kd", "--student", "build:1/8/2"),
                ("distill", *ROWS, "--teacher", "t", "--method", "ckd", "--student", "cut:1"),
                ("distill", *ROWS, "--teacher", "../base/teacher", "--student", "t"),
                ("teach", *ROWS, "--teacher", "t"),
                ("pretrain", "../base/texts.txt", "--teacher", "t", "--student", "cut:1"),
                ("pretrain", "../base/texts.txt", "--teacher", "../base/teacher", "--student", "t"),
                ("evaluate", "t", *ROWS),
                ("predict", "t", "../base/texts.txt"),
            ]
        )
    )
    return Case(line, files)
