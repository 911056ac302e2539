"""What MLflow refuses for good, told apart from a server that is away for a while."""

from __future__ import annotations

import re

# MLflow's own words for what no second try will change.
CODES = {
    "BAD_REQUEST", "CUSTOMER_UNAUTHORIZED", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "INVALID_PARAMETER_VALUE",
    "INVALID_STATE", "MALFORMED_REQUEST", "NOT_FOUND", "NOT_IMPLEMENTED", "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST", "UNAUTHENTICATED",
}  # fmt: skip
# A refusal that a proxy, or MLflow's password page, gives without such a word.
STATUS = re.compile(r"error code (40[0134]|405)\b|\b(401 Unauthorized|403 Forbidden)\b", re.IGNORECASE)
NO_DATABASE = re.compile(r"file is not a database|readonly database|out-of-date database schema|no such module")


def is_refusal(error: BaseException) -> bool:
    """Whether `error`, of a call to MLflow, will come again however often the call is made."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, ImportError):
        return True
    if not isinstance(error, MlflowException):
        return False
    words = f"{error} {error.__cause__ or ''}"
    return error.error_code in CODES or STATUS.search(words) is not None or NO_DATABASE.search(words) is not None
