"""The house rules that a reader relies on: arrows run one way, files stay short, losses and loop stand alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "raykd").rglob("*.py"))

# Where outputs may lie, and how they get there: files at the top that use `errors` alone.
OUTPUTS = ("paths", "manifest", "output_paths", "outputs")

# Which rooms each room may import from. `cli` and the other files at the top may use every room.
ARROWS = {
    "losses": set(),
    "tasks": {"errors", "hub", "progress", "seeds", "workspace", *OUTPUTS},
    "augment": {"errors", "models", "progress", "tasks", *OUTPUTS},
    "models": {"errors", "hub", "seeds", *OUTPUTS},
    "methods": {"losses", "models", "errors", "seeds"},
    "knowledge": {"losses", "methods", "models", "tasks", "errors", *OUTPUTS},
    "report": {"tasks", *OUTPUTS},
    "storage": {"errors", *OUTPUTS},
    "train": {"methods", "knowledge", "models", "tasks", "losses", "storage", "cpus", "disk", "progress", "seeds"}
    | {"errors", "interrupts", *OUTPUTS},
    "tracking": {"methods", "search", "train", "workspace", "storage", "errors", *OUTPUTS},
    "search": {"train", "methods", "models", "tasks", "tracking", "report", "storage", "workspace", "errors"}
    | {"prepare", "beside", "knowledge", "cpus", "disk", "dry_run", "interrupts", "overlap", "progress", "resume_line"}
    | {"seeds", *OUTPUTS},
    "submit": {"errors", "interrupts", "workspace", "storage", "tracking", *OUTPUTS},
}


def imported(file: Path, *, at_run_time: bool = True) -> set[str]:
    """Full names of the modules a file imports, those only for type checkers left out."""
    tree = ast.parse(file.read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if at_run_time and id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # a relative import stays in its own room
                continue
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows(file: Path) -> None:
    parts = file.relative_to(ROOT / "raykd").parts
    if len(parts) == 1:
        return
    room = parts[0]
    targets = {name.split(".")[1] for name in imported(file) if name.startswith("raykd.")}
    assert targets - ARROWS[room] - {room} == set()


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_outputs_rest_on(name: str) -> None:
    targets = {name.split(".")[1] for name in imported(ROOT / "raykd" / f"{name}.py") if name.startswith("raykd.")}
    assert targets - {"errors", *OUTPUTS} == set()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        (
            "ray",
            {f"raykd/search/{name}.py" for name in ("ray_tune", "cluster", "join", "orphans", "gather", "forecast")}
            | {f"raykd/train/{name}.py" for name in ("ray_trial", "notice", "worker_start")}
            | {"raykd/submit/cluster.py"},
        ),
        ("mlflow", {str(f.relative_to(ROOT)) for f in FILES if f.parent.name == "tracking"}),
    ],
)
def test_who_imports(package: str, allowed: set[str]) -> None:
    users = {
        str(file.relative_to(ROOT))
        for file in FILES
        if any(name.split(".")[0] == package for name in imported(file, at_run_time=False))
    }
    assert users - allowed == set()


def test_files_stay_short() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
    assert {name: n for name, n in lengths.items() if name.startswith("raykd/methods/") and n > 200} == {}


@pytest.mark.parametrize("module", ["raykd.losses", "raykd.train.loop"])
def test_stands_alone(module: str) -> None:
    """Importable where neither Ray, Optuna, MLflow nor datasets is installed."""
    absent = ["ray", "optuna", "mlflow", "datasets"]
    code = f"import sys\nsys.modules.update({{name: None for name in {absent}}})\nimport {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
