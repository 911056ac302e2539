"""Search spaces by name or by file: one YAML a method, the published grid; users write their own in the same words."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError

from raykd.errors import UserError, unknown
from raykd.paths import expand_home
from raykd.search.space_check import Fields, check, misfits
from raykd.search.space_parse import parse
from raykd.search.space_types import Dimension, Kind, Space

__all__ = ["Dimension", "Fields", "Kind", "Space", "check", "load", "shipped"]

MOST_ENTRIES = 10_000


def shipped() -> dict[str, Path]:
    """The spaces that come with raykd, by name: inside the package when installed, beside it in a checkout."""
    package = Path(str(files("raykd.search"))).parent
    folder = next((at for at in (package / "search_spaces", package.parent / "search_spaces") if at.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(name_or_path: str, fields: Fields | None = None) -> Space:
    """A shipped space, or the one in a .yaml file of the user's.

    With `fields` (see `check`) the values are checked as well, so that a user sees all problems in one go. Raises
    UserError with all of them: no such space or file, syntax, structure, values.
    """
    path = _find(name_or_path)
    space, problems = parse(path.stem, _read(path))
    if fields is not None:
        problems += misfits(space, fields)
    if problems:
        raise UserError(*(f"{path.name}: {problem}" for problem in problems))
    return space


def _find(name_or_path: str) -> Path:
    spaces = shipped()
    if name_or_path in spaces:
        return spaces[name_or_path]
    path = expand_home(name_or_path)
    looks_like_path = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if not looks_like_path:
        raise UserError(f"{unknown('search space', name_or_path, spaces)}; or give the path of a .yaml file")
    if not path.is_file():
        raise UserError(f"no file {name_or_path}; as a name: {unknown('search space', path.stem, spaces)}")
    return path


def _read(path: Path) -> Any:
    """The content of a YAML 1.2 file, in which 3e-5 is a number. Raises UserError with the line of a mistake."""
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Bounded
        return yaml.load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise UserError(f"{path.name}: {line}{error.problem or error.context}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except Exception as error:  # any: not UTF-8, a date such as 2020-13-45, KeyError of "!!bool maybe", RecursionError
        raise UserError(f"{path.name}: not readable as YAML: {error!r}") from error


class _Bounded(SafeConstructor):
    """Refuses a mapping that merge keys ("<<") blow up: ten lines can ask for more entries than any memory holds."""

    def flatten_mapping(self, node: Any) -> Any:
        """Called for every mapping, before it is read."""
        flat = super().flatten_mapping(node)
        if len(node.value) > MOST_ENTRIES:
            raise ConstructorError(problem=f"a mapping of {len(node.value):,} entries", problem_mark=node.start_mark)
        return flat
