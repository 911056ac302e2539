"""A store that is away for minutes is waited for; one that says no is not."""

from __future__ import annotations

import errno
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pyarrow import ArrowInvalid
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from raykd.errors import UserError
from raykd.storage.urls import root

PATIENCE_S = 900.0  # how long a store may be away, from the first failure of an operation
SHORTEST_S, LONGEST_S = 0.5, 30.0  # between two attempts; random, so that a hundred trials do not knock together

logger = logging.getLogger(__name__)
T = TypeVar("T")

# pyarrow tells what a store answered only in the words of an OSError without a number.
DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|MISSING_AUTHENTICATION"
    r"|UNRECOGNIZED_CLIENT|OPT_IN_REQUIRED|REQUEST_TIME_TOO_SKEWED|REQUEST_EXPIRED|ExpiredToken|InvalidToken"
    r"|HTTP status 40[13]|PERMISSION_DENIED|UNAUTHENTICATED"
    r"|AuthenticationFailed|AuthorizationFailure|AuthorizationPermissionMismatch"
)
NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|Bucket '.*' not found|ContainerNotFound|bucket does not exist")
# Other refusals (3xx, 4xx, but for time-outs and "slow down"), and an address that cannot be right.
REFUSED = re.compile(r"HTTP status (3\d\d|4(?!08|25|29)\d\d)|wrong version number|certificate|curlCode: (3|60)\b")
PASSING = {
    errno.EAGAIN, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENETDOWN, errno.ENETUNREACH, errno.EPIPE, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip

_away: dict[str, float] = {}  # since when each store is away, in seconds of time.monotonic
_lock = threading.Lock()


class Away(OSError):
    """A store did not come back within PATIENCE_S."""


def patiently(url: str, act: Callable[[], T], cancelled: threading.Event | None = None) -> T:
    """`act()`, tried again while the store of `url` is away; setting `cancelled` ends the waiting.

    Raises UserError where the store refuses for good, Away when patience ends; FileNotFoundError and errors of the
    local disk as they come.
    """
    first_failure: list[float] = []

    def enough(state: RetryCallState) -> bool:
        # Counted from the first failure: what fails after an hour of sending has not been patient yet.
        first_failure.append(time.monotonic())
        return first_failure[-1] - first_failure[0] > PATIENCE_S or (cancelled is not None and cancelled.is_set())

    def pause(seconds: float) -> None:
        if cancelled is None:
            time.sleep(seconds)
        else:
            cancelled.wait(seconds)

    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_random_exponential(multiplier=2 * SHORTEST_S, min=SHORTEST_S, max=LONGEST_S),
        stop=enough,
        sleep=pause,
        before_sleep=lambda state: _found_away(url, state),
        reraise=True,
    )
    try:
        result = retrying(act)
    except (OSError, ArrowInvalid) as error:
        if _may_pass(error):
            raise Away(f"{root(url)} was away for {PATIENCE_S / 60:.0f} minutes: {_short(error)}") from error
        problem = _problem(url, error)
        if problem is not None:
            raise UserError(problem) from error
        raise
    _found_back(url)
    return result


def _may_pass(error: BaseException) -> bool:
    if not isinstance(error, OSError) or isinstance(error, Away):
        return False
    if error.errno is not None:
        return error.errno in PASSING
    return _problem("", error) is None


def _problem(url: str, error: Exception) -> str | None:
    """What a user can do about `error`, or None."""
    words = str(error)
    if isinstance(error, PermissionError):
        return f"{url}: not allowed to read or write there ({_short(error)})"
    if isinstance(error, OSError) and error.errno is not None:
        return None
    if DENIED.search(words):
        return (
            f"{url}: access denied. Are the credentials in the environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or the node's own role), are they valid still, "
            f"and may they read, write, list and delete there? ({_short(error)})"
        )
    if NO_BUCKET.search(words):
        return f"{url}: there is no such bucket; create it, or check its name and AWS_ENDPOINT_URL ({_short(error)})"
    if REFUSED.search(words) or isinstance(error, ArrowInvalid):
        return f"{url}: the store refused; check the URL, AWS_ENDPOINT_URL and AWS_REGION ({_short(error)})"
    return None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _found_away(url: str, state: RetryCallState) -> None:
    """A warning when it is new that the store is away; not for each attempt, nor for each of many operations."""
    place = root(url)
    with _lock:
        if place not in _away:
            reason = _short(state.outcome.exception() or OSError()) if state.outcome else ""
            logger.warning("%s is away, waiting up to %.0f minutes for it: %s", place, PATIENCE_S / 60, reason)
        _away.setdefault(place, time.monotonic())


def _found_back(url: str) -> None:
    with _lock:
        since = _away.pop(root(url), None)
        if since is not None:
            logger.warning("%s is back after %.0f seconds", root(url), time.monotonic() - since)
