"""The job interface of a Ray cluster: every call with a time limit, every failure as what a user can do about it."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from raykd.errors import UserError

T = TypeVar("T")
DEFAULT = "http://127.0.0.1:8265"
PATIENCE = 10.0  # seconds for an answer
UPLOAD = 600.0  # seconds for a folder that goes along
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


class Unreachable(Exception):
    """No answer now; there may be one later."""


@dataclass(frozen=True)
class JobInfo:
    """What the cluster knows of a job."""

    status: str
    message: str
    entrypoint: str
    metadata: dict[str, str]


class Cluster:
    """A connection to the dashboard at `address`."""

    def __init__(self, address: str, client: Any) -> None:
        self.address, self._client = address, client

    def info(self, job: str) -> JobInfo | None:
        """What is known of `job`; None if there is no such job. Raises Unreachable, UserError."""
        found = self._ask(PATIENCE, self._client.get_job_info, job)
        if found is None:
            return None
        # An enumeration in Ray; its value is the word.
        status = str(getattr(found.status, "value", found.status))
        return JobInfo(status, found.message or "", found.entrypoint or "", dict(found.metadata or {}))

    def send(self, job: str, entrypoint: str, environment: dict[str, Any], metadata: dict[str, str]) -> None:
        """Start `job`. Raises Unreachable when no answer came, though the job may have been started."""
        self._ask(
            UPLOAD,
            lambda: self._client.submit_job(
                entrypoint=entrypoint, submission_id=job, runtime_env=environment, metadata=metadata
            ),
        )

    def stop(self, job: str) -> bool | None:
        """Ask `job` to end; False if it had ended, None if there is no such job."""
        return self._ask(PATIENCE, self._client.stop_job, job)

    def log(self, job: str) -> str | None:
        """All that `job` has printed so far."""
        return self._ask(PATIENCE, self._client.get_job_logs, job)

    def tail(self, job: str) -> AsyncIterator[str]:
        """What `job` has printed, from its start, and then as it is printed, until it ends."""
        tail: AsyncIterator[str] = self._client.tail_job_logs(job)
        return tail

    def _ask(self, seconds: float, call: Callable[..., T], *arguments: Any) -> T | None:
        from ray.exceptions import AuthenticationError

        try:
            return within(seconds, call, *arguments)
        except AuthenticationError as error:
            raise _unwelcome(self.address, error) from None
        except (OSError, TimeoutError) as error:  # requests' own errors are OSErrors
            raise Unreachable(f"{type(error).__name__}") from None
        except RuntimeError as error:
            text = str(error)
            if "status code 404" in text:
                return None
            if "already exists" in text:
                raise FileExistsError(text) from None
            last = text.strip().rpartition("\n")[2][:500]
            if "status code 5" in text:  # a head that is only starting says so too
                raise Unreachable(last) from None
            raise UserError(f"the cluster at {self.address} refused: {last}") from None


def connect(address: str | None) -> Cluster:
    """A cluster whose dashboard answers at `address` (default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, this machine).

    Raises UserError: Ray's job client is not installed, the address is none, nothing answers, the token is not right.
    """
    address = _address(address)
    try:
        import aiohttp  # noqa: F401  (Ray's client needs both, and says so only when it is used)
        import requests
    except ImportError:
        raise UserError("raykd submit needs Ray's job client: pip install 'raykd[cluster]'") from None
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        answer = requests.get(f"{address}/api/version", timeout=(PATIENCE / 2, PATIENCE / 2))
    except requests.RequestException as error:
        raise UserError(
            f"no Ray dashboard answers at {address} ({type(error).__name__}): is the head running with ray[default], "
            "and can its dashboard port (8265) be reached from here?"
        ) from None
    if answer.status_code not in (200, 401, 403) or (answer.ok and "ray_version" not in answer.text):
        raise UserError(f"what answers at {address} is no Ray dashboard (status {answer.status_code})")
    for name in ("dashboard.modules.job.sdk", "dashboard.modules.dashboard_sdk"):
        logging.getLogger(f"ray.{name}").setLevel(logging.ERROR)  # they tell of every request
    os.environ["RAY_API_SERVER_ADDRESS"] = address  # Ray lets RAY_ADDRESS outdo the address it is given
    try:
        client = within(2 * PATIENCE, JobSubmissionClient, address)
    except (AuthenticationError, RuntimeError) as error:
        raise _unwelcome(address, error) from None
    except (OSError, TimeoutError):
        raise UserError(f"the Ray dashboard at {address} stopped answering") from None
    return Cluster(address, client)


def within(seconds: float, call: Callable[..., T], *arguments: Any) -> T:
    """The call's result, or TimeoutError. Ray's client sets no time limit, and a lost connection says nothing."""
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put((True, call(*arguments)))
        except BaseException as error:
            answer.put((False, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        good, value = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if good:
        result: T = value
        return result
    raise value


def _address(asked: str | None) -> str:
    named = [os.environ.get(name) for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")]
    of_web = [value for value in named if value and value.startswith(("http://", "https://"))]
    address = asked or (of_web[0] if of_web else DEFAULT)
    if "://" not in address and address != "auto":
        address = f"http://{address}"
    if not address.startswith(("http://", "https://")):
        raise UserError(f"address '{address}': that of the head's dashboard, e.g. http://HEAD:8265")
    return address.rstrip("/")


def _unwelcome(address: str, error: Exception) -> UserError:
    """The cluster wants a token, or another one, or the token cannot be read."""
    text = str(error)
    if "Authentication failed" in text or "403" in text:
        what = "refuses the token"
    elif "Authentication required" in text or "401" in text:
        what = "wants a token"
    else:
        what = f"cannot be asked: {text.partition('. ')[0] or type(error).__name__}"
    return UserError(
        f"the cluster at {address} {what}: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to a file with the "
        "cluster's token"
    )
