"""Ray for a sweep: an instance of its own on this machine that nobody else can reach, or a running cluster.

Ray itself answers a wrong address after a minute, a wrong token after twenty seconds, a missing token file by ending
the process. So what can be wrong is looked at first, and named.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # missing from Ray's own stub
from ray.exceptions import AuthenticationError
from ray.job_config import JobConfig

from raykd.cpus import available_cpus
from raykd.errors import UserError
from raykd.interrupts import handlers_kept
from raykd.search.sockets import temporary_folder
from raykd.train.worker_start import BEGIN

CONNECT_S = 5.0
ANSWER_S = 12.0
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # Ray's name for "0: every server listens on 127.0.0.1 alone"


@contextmanager
def session(address: str | None, environment: dict[str, str], *, cpus: int | None = None) -> Iterator[None]:
    """Ray while the block runs; where it is there already, it stays.

    address: None for a private instance with `cpus` cores (default: those that this process may use), "auto" or
    HOST:PORT of a cluster that this machine is a node of. environment: variables of every worker process. Raises
    UserError if the cluster does not answer, does not know the token, or this machine is not part of it.
    """
    if ray.is_initialized():
        yield
        return
    # Ray announces its token authentication on stderr at every start.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    common: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
        "runtime_env": {"env_vars": environment, "worker_process_setup_hook": BEGIN},
        "job_config": _job_config(),
    }
    with ExitStack() as stack:
        with handlers_kept():  # Ray's own for SIGTERM would end the process where it stands
            if address is None:
                stack.enter_context(_loopback())
                # "local": an address in the environment is not what was asked for.
                ray.init(
                    "local",
                    num_cpus=cpus or available_cpus(),
                    include_dashboard=False,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=stack.enter_context(temporary_folder()),
                    **common,
                )
            else:
                _join(address, common)
        stack.callback(ray.shutdown)
        yield


def _job_config() -> JobConfig:
    """Workers import from where the driver does. By itself Ray puts the driver's folder before all else for them."""
    config = JobConfig()
    config._py_driver_sys_path = DriverPaths()
    return config


class DriverPaths(list[str]):
    """The folders that Ray puts before a worker's own: of those it adds, the ones that the driver imports from."""

    def extend(self, folders: Iterable[str]) -> None:
        """Add those of `folders` that count."""
        known = {os.path.abspath(entry) for entry in sys.path}  # "" is the folder that it is in
        super().extend(folder for folder in folders if os.path.abspath(folder) in known)


@contextmanager
def _loopback() -> Iterator[None]:
    """Within it, Ray and all processes it starts serve on loopback alone; else they would serve the whole network."""
    before, was = os.environ.get(LOOPBACK), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[LOOPBACK] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = was
        os.environ.pop(LOOPBACK)
        if before is not None:
            os.environ[LOOPBACK] = before


def _join(address: str, common: dict[str, Any]) -> None:
    found = _place(address)
    _check_token(address)
    try:
        socket.create_connection(_parts(found), timeout=CONNECT_S).close()
    except OSError as error:
        raise UserError(f"address {_told(address, found)}: no Ray cluster answers there ({error})") from None
    members = _nodes_of(found, _told(address, found))
    if not members & set(services.find_node_ids()):
        raise UserError(
            f"address {_told(address, found)}: this machine is not a node of that cluster: run this on one of its "
            "nodes, or send it there by raykd submit"
        )
    try:
        ray.init(found, **common)
    except (ConnectionError, RuntimeError, ValueError) as error:  # other versions of Ray or Python, for one
        raise UserError(f"address {_told(address, found)}: {str(error).strip()}") from None


def _place(address: str) -> str:
    """HOST:PORT of what the user wrote."""
    if address == "auto":
        try:
            address = services.canonicalize_bootstrap_address("auto") or ""
        except ConnectionError:
            address = ""
        if not address:
            raise UserError(
                "address auto: no Ray cluster runs on this machine, and RAY_ADDRESS is not set: start one by "
                "'ray start --head', or give its HOST:PORT"
            )
    host, port = _parts(address)
    return f"{services.resolve_ip_for_localhost(host)}:{port}"


def _parts(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"address {address!r}: auto, or HOST:PORT of a running Ray cluster, e.g. 10.0.0.1:6379")
    return host.strip("[]"), int(port)


def _told(address: str, found: str) -> str:
    return found if address != "auto" else f"auto ({found})"


def _check_token(address: str) -> None:
    """Ray ends the process for a token file that is not there."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named and not os.environ.get("RAY_AUTH_TOKEN") and not (Path(named).is_file() and os.access(named, os.R_OK)):
        raise UserError(f"address {address}: the token file {named} (RAY_AUTH_TOKEN_PATH) cannot be read")


def _nodes_of(found: str, told: str) -> set[str]:
    """The ids of the cluster's nodes. Ray's client tries for 40 seconds; it is left alone after ANSWER_S."""
    answers: queue.Queue[set[str] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
            client = GcsClient(address=found)
            answers.put({node.hex() for node in client.get_all_node_info(timeout=ANSWER_S)})
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_S)
    except queue.Empty:
        raise UserError(f"address {told}: something listens there, but it does not answer as a Ray cluster") from None
    if isinstance(answer, AuthenticationError):
        raise UserError(
            f"address {told}: the cluster does not accept this token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH "
            "to the file that its nodes use"
        )
    if isinstance(answer, Exception):
        raise UserError(f"address {told}: the cluster does not answer: {str(answer).strip()}")
    return answer
