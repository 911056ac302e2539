"""Before anything is trained: whether MLflow and the study's database will take what the sweep writes.

Once they have, they may go away for as long as they like. One that was never there, or that refuses, would leave a
person with hours of results in the wrong place.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path

from raykd.errors import NoRoom, UserError
from raykd.tracking import about
from raykd.tracking.reconcile import reason
from raykd.tracking.refusal import is_refusal

DISK_FULL = "database or disk is full"  # SQLite's words
ANSWER_S = 15.0  # for a server; a file on this machine takes as long as it takes


class Unreachable(UserError):
    """Nothing answers there now; there may be somebody later."""


def check_tracking(uri: str, experiment: str, artifacts: Path) -> None:
    """Find or make `experiment` in MLflow at `uri`, and write a tag of it as it is.

    Args:
        uri: of MLflow, as given.
        experiment: its name.
        artifacts: where those of a local database go.

    Raises:
        Unreachable: nothing answers within ANSWER_S.
        NoRoom: there is no room for its database.
        UserError: MLflow refuses, or the experiment was deleted; the message says what to do.
    """
    from raykd.tracking.tracker import make_client, open_experiment

    def act() -> None:
        client = make_client(uri)
        found = client.get_experiment_by_name(experiment)
        if found is not None and found.lifecycle_stage == "deleted":
            raise UserError(
                f"tracking-uri {uri}: the experiment '{experiment}' was deleted there: restore it by "
                f"MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {found.experiment_id}, or name "
                "another --tracking-uri"
            )
        number = open_experiment(client, uri, experiment, artifacts)
        tags = client.get_experiment(number).tags
        client.set_experiment_tag(number, about.KIND, tags.get(about.KIND, about.TRAINING))
        client.search_registered_models(max_results=1)

    import mlflow  # noqa: F401  (seconds, which no server is to blame for)

    _answered(f"tracking-uri {uri}", "MLflow", "sqlite:///FILE needs no server", act, local=_is_file(uri))


def check_study(uri: str) -> None:
    """Open the study's database at `uri`. Raises as `check_tracking` does."""
    from raykd.tracking.study import open_storage

    def act() -> None:
        open_storage(uri).engine.dispose()

    _answered(f"study-uri {uri}", "the study's database", "without it a file here is used", act, local=_is_file(uri))


def _answered(where: str, what: str, instead: str, act: Callable[[], None], *, local: bool) -> None:
    """Do `act`, within ANSWER_S unless `local`, and put what it raises into words."""
    answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            act()
        except BaseException as error:
            answers.put(error)
        else:
            answers.put(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        error = answers.get(timeout=None if local else ANSWER_S)
    except queue.Empty:
        raise Unreachable(f"{where}: {what} does not answer within {ANSWER_S:.0f} s; {instead}") from None
    if error is None:
        return
    if isinstance(error, UserError):
        raise error
    if DISK_FULL in str(error):
        raise NoRoom(where) from error
    behind = re.search(r"Caused by .*[:(] *(.+)", str(error))  # what the HTTP client found, after pages of addresses
    said = re.sub(r"//[^/@\s]+@", "//", behind[1].strip("'\"() ") if behind else reason(error))  # without a password
    logging.getLogger(__name__).debug("%s", where, exc_info=error)
    if local or is_refusal(error) or _is_wrong(error):
        raise UserError(f"{where}: {what} refuses: {said}: mend that, or name another; {instead}") from error
    raise Unreachable(f"{where}: {what} cannot be reached: {said}: start it, or name another; {instead}") from error


def _is_wrong(error: BaseException) -> bool:
    """Whether SQLAlchemy or MLflow cannot make sense of the address."""
    return type(error).__name__ in ("ArgumentError", "NoSuchModuleError", "InvalidUrlException") or isinstance(
        error, (ImportError, ValueError)
    )


def _is_file(uri: str) -> bool:
    scheme, separator, _ = uri.partition("://")
    return not separator or scheme.partition("+")[0] in ("sqlite", "file")
