"""What a node is asked before a sweep starts on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def looking() -> Callable[..., dict[str, Any]]:
    """What each node is asked. It goes there by value: the node may have no raykd, or another."""

    def look(
        names: Sequence[str], token: tuple[str, str] | None, paths: Sequence[str], patience: float
    ) -> dict[str, Any]:
        import hashlib
        import importlib.metadata
        import os
        import platform
        import time

        versions: dict[str, str | None] = {"python": platform.python_version()}
        for name in names:
            try:
                versions.setdefault(name, importlib.metadata.version(name) if name != "python" else None)
            except importlib.metadata.PackageNotFoundError:
                versions[name] = None

        def same(file: str, content: str) -> bool:
            try:
                with open(file, "rb") as opened:
                    return hashlib.sha256(opened.read()).hexdigest() == content
            except OSError:
                return False

        end = time.monotonic() + patience
        while True:
            unseen = [path for path in paths if not os.path.exists(path)]
            if token is not None and not same(*token):
                unseen.insert(0, token[0])
            if not unseen or time.monotonic() > end:
                return {"versions": versions, "unseen": unseen}
            time.sleep(0.5)

    return look
