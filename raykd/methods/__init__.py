"""Every method by name. A new one is a file beside these and a line here."""

from raykd.errors import UserError, unknown
from raykd.methods import ckd, kd, none
from raykd.methods.method import Method

METHODS: dict[str, Method] = {method.name: method for method in (none.METHOD, kd.METHOD, ckd.METHOD)}


def find(name: str) -> Method:
    """The method called `name`; UserError with the nearest name if there is none."""
    if name not in METHODS:
        raise UserError(unknown("method", name, METHODS))
    return METHODS[name]
