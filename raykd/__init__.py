"""raykd: the best small student of a large fine-tuned transformer, searched on a Ray cluster.

The same as the command line in a few names; the losses stand alone in `raykd.losses`::

    import raykd

    result = raykd.tune("rte", raykd.Source("path/to/glue"), teacher="path/to/teacher")
    print(result.found.champion, result.student)
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; by `python -m raykd` a typing.py in the working folder comes first

if TYPE_CHECKING:
    from typing import Any

    from raykd.answer import evaluate, predict
    from raykd.api import distill, teach
    from raykd.errors import UserError
    from raykd.search.how import How
    from raykd.search.launch import tune
    from raykd.tasks.read_options import ReadOptions
    from raykd.tasks.source import Source

__all__ = ["How", "ReadOptions", "Source", "UserError", "distill", "evaluate", "predict", "teach", "tune"]

_HOMES = {
    "How": "raykd.search.how",
    "ReadOptions": "raykd.tasks.read_options",
    "Source": "raykd.tasks.source",
    "UserError": "raykd.errors",
    "distill": "raykd.api",
    "evaluate": "raykd.answer",
    "predict": "raykd.answer",
    "teach": "raykd.api",
    "tune": "raykd.search.launch",
}


def __getattr__(name: str) -> Any:
    # transformers and Ray take seconds to import; whoever wants the losses alone needs torch and nothing else.
    if name in _HOMES:
        import importlib

        return vars(importlib.import_module(_HOMES[name]))[name]
    raise AttributeError(f"module 'raykd' has no attribute '{name}'")
