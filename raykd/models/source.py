"""From the name of a model to a checked local folder: safetensors only, no remote code, no silent network."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from raykd.errors import UserError
from raykd.paths import expand_home

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# Top-level files only: other formats (onnx, openvino) lie in subfolders. `*.model` are sentencepiece vocabularies.
WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]
UNWANTED = ["*/*"]
CARD = "raykd.json"  # what raykd says of a model that it made; it changes no answer
OTHERS = ("*.onnx", "*.gguf", "*.h5", "*.msgpack", "*.tflite", "*.mlmodel", "onnx/*.onnx")  # weights of others
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
NETWORK_SECONDS = 10


def resolve(name: str, *, role: str) -> Path:
    """The local folder of a model: `name` itself if it is a folder, else the snapshot of that hub name.

    role: what the model is for ("teacher", "student"); only used in messages. A hub name that is complete in the local
    cache is taken from there without any network, so many workers of a node cause one download at most.
    Raises UserError: no such folder, no config.json, no (complete) safetensors, remote code, hub away or name unknown.
    """
    folder = expand_home(name)
    if folder.is_dir():
        check_folder(folder, role=role)
        return folder.resolve()
    if folder.is_symlink():
        raise UserError(f"{role} '{name}' is a link to '{folder.readlink()}', which is not there")
    if folder.exists():
        raise UserError(f"{role} '{name}' is a file: name the folder that holds config.json and {WEIGHTS}")
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise UserError(f"{role} '{name}': no such folder")
    return _from_hub(name, role)


def check_folder(folder: Path, *, role: str) -> None:
    """Raise UserError unless `folder` holds config.json and complete safetensors weights, and asks for no own code."""
    files = ("config.json", "tokenizer_config.json")
    described = {file: read_json(folder / file) for file in files if (folder / file).is_file()}
    problems = [
        f"{role} '{folder}': {file} asks for remote code (auto_map), which raykd never runs"
        for file, content in described.items()
        if content.get("auto_map")
    ]
    if "config.json" not in described:
        instead = _instead(folder)
        problems.append(f"{role} '{folder}': the folder has no config.json{instead}")
        if instead:
            raise UserError(*problems)
    elif not isinstance(described["config.json"].get("model_type"), str):
        problems.append(f"{role} '{folder}': config.json names no model_type")
    problems += _weight_problems(folder, role)
    if problems:
        raise UserError(*problems)


def _instead(folder: Path) -> str:
    """What a folder without config.json holds, and what to do about it."""
    if (folder / "adapter_config.json").is_file():
        return (
            ": it holds a PEFT adapter (adapter_config.json). Merge it into its base model first (merge_and_unload), "
            "and save that"
        )
    inner = sorted(path.parent.name for path in folder.glob("*/config.json"))
    if inner:
        shown = ", ".join(f"'{folder / name}'" for name in inner[-3:])
        return f", but {len(inner)} of its folders do: name one, e.g. {shown}"
    others = sorted(file.name for pattern in OTHERS for file in folder.glob(pattern))
    return f" (there: {', '.join(others[:3])}, a format that raykd does not read)" if others else ""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights, shards in order; they may be absent."""
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return [folder / WEIGHTS]
    # A shard is a plain file name: an index must not lead out of its folder.
    return [folder / Path(shard).name for shard in sorted(_shards(folder))] or [folder / WEIGHTS]


def _shards(folder: Path) -> set[str]:
    """The files that the index of a folder names, as it names them."""
    listed = read_json(folder / INDEX).get("weight_map")
    return set(map(str, listed.values())) if isinstance(listed, dict) else set()


Version = tuple[tuple[str, int, int], ...]


def version(folder: Path) -> Version:
    """Name, time of change and size of the files a model is read from: another version is another model."""
    stats = [(file.name, file.stat()) for file in [folder / "config.json", *weight_files(folder)]]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


@lru_cache(maxsize=8)
def _digest(folder: Path, version: Version) -> str:
    digest = hashlib.sha256()
    for name, _, _ in version:
        with (folder / name).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def digest(folder: Path) -> str:
    """SHA-256 of the configuration and the weights of a model: equal ones give equal answers, wherever they lie."""
    return _digest(folder, version(folder))


def full_digest(folder: Path) -> str:
    """SHA-256 of all that a model is read from: `digest`, and every file of its tokenizer."""
    whole = hashlib.sha256(digest(folder).encode())
    weights = {file.name for file in weight_files(folder)}
    for file in sorted({file for pattern in WANTED for file in folder.glob(pattern)} - {folder / CARD}):
        if file.is_file() and file.name not in weights:
            whole.update(json.dumps([file.name, hashlib.sha256(file.read_bytes()).hexdigest()]).encode())
    return whole.hexdigest()


def weight_names(folder: Path) -> set[str]:
    """The names of all stored tensors; reads the headers only."""
    from safetensors import SafetensorError, safe_open

    names: set[str] = set()
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as tensors:
                names.update(tensors.keys())
        except (SafetensorError, OSError) as error:
            raise UserError(f"'{file}' is damaged or not readable: {error}") from error
    return names


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; UserError names a file that holds something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"'{file}' is not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"'{file}' should hold a JSON object, it holds a {type(content).__name__}")
    return content


def _weight_problems(folder: Path, role: str) -> list[str]:
    sharded = (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file()
    if sharded and (outside := sorted(shard for shard in _shards(folder) if Path(shard).name != shard)):
        return [f"{role} '{folder}': {INDEX} names files outside of its folder: {', '.join(outside)}"]
    absent = [file.name for file in weight_files(folder) if not file.is_file()]
    if not absent:
        return []
    if (folder / INDEX).is_file():
        return [f"{role} '{folder}': {INDEX} names files that are not there: {', '.join(absent)}"]
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if pickles:
        return [
            f"{role} '{folder}': the weights are only there as a pickle ({', '.join(pickles)}), which can run code "
            f"when it is loaded. Convert them to {WEIGHTS} where you trust them: from_pretrained, save_pretrained"
        ]
    others = sorted(file.name for pattern in OTHERS for file in folder.glob(pattern))
    if others:
        return [
            f"{role} '{folder}': the weights are only there as {', '.join(others[:3])}, which raykd does not read: "
            f"save them as {WEIGHTS} (from_pretrained, save_pretrained of the library that made them)"
        ]
    return [f"{role} '{folder}': the folder has no {WEIGHTS} (and no {INDEX})"]


def _from_hub(name: str, role: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    cached = _cached(name, role)
    if cached is not None:
        return cached
    from raykd.hub import reachable

    if not reachable():
        raise UserError(
            f"{role} '{name}': there is no such folder, and the Hugging Face hub cannot be reached to fetch it "
            "(no network, or HF_HUB_OFFLINE is set). Give a local folder, or fetch it once on a machine with network"
        )
    try:
        folder = snapshot_download(
            name, allow_patterns=WANTED, ignore_patterns=UNWANTED, etag_timeout=NETWORK_SECONDS, max_workers=4
        )
    except HFValidationError as error:
        raise UserError(f"{role} '{name}': no such folder, and not a hub name either: {error}") from error
    except GatedRepoError as error:
        raise UserError(f"{role} '{name}': the hub wants its terms accepted and a token (HF_TOKEN)") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{role} '{name}': no such folder, and no such model on the hub (or a private one)") from error
    except Exception as error:  # the hub's client is another library from version to version, with errors of its own
        raise UserError(f"{role} '{name}': fetching it from the hub failed: {error}") from error
    check_folder(Path(folder), role=role)
    return Path(folder)


def _cached(name: str, role: str) -> Path | None:
    """The snapshot in the local cache, or None where there is none or it is incomplete (an interrupted download)."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except HFValidationError as error:
        raise UserError(f"{role} '{name}': no such folder, and not a hub name either: {error}") from error
    except LocalEntryNotFoundError:
        return None
    complete = (folder / "config.json").is_file() and all(file.is_file() for file in weight_files(folder))
    if complete:
        check_folder(folder, role=role)
    return folder if complete else None
