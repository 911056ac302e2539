"""Has the data of a sweep changed since it was started? It goes on with the rows that it keeps, and says so."""

from __future__ import annotations

from collections.abc import Callable

from raykd.errors import UserError
from raykd.paths import expand_home
from raykd.search.spec import SweepSpec
from raykd.tasks.read_options import ReadOptions
from raykd.tasks.source import Source


def warn_of_changed_rows(spec: SweepSpec, say: Callable[[str], object]) -> None:
    """Read the data that a sweep was started with again, where they are on this machine, and compare.

    Args:
        spec: The sweep, as it was started.
        say: Takes a warning where they have changed, or cannot be read any more.
    """
    request = spec.request
    if request is None or request.data in ("hub", "sample") or not expand_home(request.data).exists():
        return
    fields = request.model_dump()
    reading = ReadOptions(**{name: fields[name] for name in ReadOptions.__dataclass_fields__})
    own = {name: fields[name] for name in Source.__dataclass_fields__ if name in fields}
    try:
        changed = Source(**own, reading=reading).load(request.task).fingerprint != spec.fingerprint
        why = "has changed since"
    except UserError as error:
        changed, why = True, f"cannot be read any more ({error.problems[0]})"
    if changed:
        say(f"warning: '{request.data}' {why}: sweep '{spec.name}' goes on with the rows that it was started with")
