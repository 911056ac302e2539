"""The command line, a file of rows and a small teacher, as for other bad input."""

from __future__ import annotations

from tests.test_bad_input import home, rows, teacher, tell
from tests.train.conftest import classes, numbers

__all__ = ["classes", "home", "numbers", "rows", "teacher", "tell"]
