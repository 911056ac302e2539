"""MLflow's own pages on what raykd logged: on this machine, or for others behind a password."""

from __future__ import annotations

import configparser
import importlib.util
import ipaddress
import os
import secrets
import socket
import sys

from raykd.errors import UserError
from raykd.paths import expand_address, expand_home
from raykd.tracking.server_process import run_server
from raykd.workspace import here

# Passwords that MLflow once shipped or shows in its documentation.
KNOWN_PASSWORDS = {"", "password", "password1234"}
PRIVATE = ["10.*", "192.168.*", *(f"172.{second}.*" for second in range(16, 32)), "fc00:*", "fd00:*"]


def serve(port: int, tracking_uri: str | None, host: str = "127.0.0.1") -> int:
    """Run MLflow's server on `host` until a signal ends it (Interrupted); the exit code if it ends by itself, never 0.

    Its processes end with this one, however this one ends.

    Raises UserError: nothing was logged; the tracking URI is a server of its own; or `host` can be reached from other
    machines and no password was set up.
    """
    uri = expand_address(tracking_uri or here().tracking_uri)
    if uri.startswith(("http://", "https://")):
        raise UserError(f"MLflow runs already at {uri}: open it in a browser")
    if uri.startswith("sqlite:///") and not os.path.exists(uri.removeprefix("sqlite:///")):
        raise UserError(f"nothing was logged yet: there is no {uri.removeprefix('sqlite:///')}")
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{os.path.abspath(uri.removeprefix('sqlite:///'))}"
    # Nothing is imported from the working folder, which uvicorn by itself puts first; and pages need none of MLflow's
    # jobs, which are processes of their own.
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONSAFEPATH": "1"}
    environment.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", host]
    if not is_loopback(host):
        environment |= guarded(host)
        environment["MLFLOW_AUTH_CONFIG_PATH"] = os.path.abspath(environment["MLFLOW_AUTH_CONFIG_PATH"])
        command += ["--app-name", "basic-auth"]
        print("anyone on the network may try passwords, and they travel unencrypted: put TLS in front of it")
    artifacts = ["--default-artifact-root", here().artifacts.as_uri()]
    for line in _pages(host, port, uri):
        print(line)
    print("(Ctrl-C ends it)", flush=True)
    folder = None if sys.version_info >= (3, 11) else here().root  # before, Python knows no PYTHONSAFEPATH
    command += [*artifacts, "--port", str(port), "--workers", "1", "--uvicorn-opts", f"--app-dir {os.devnull}"]
    code = run_server(command, environment, folder)
    print("MLflow's server has ended by itself; it says above why")
    return code or 1  # MLflow ends with 0 whatever its server did


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost is taken to be reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def guarded(host: str) -> dict[str, str]:
    """Environment of a server that asks for passwords. Raises UserError with everything that is missing for it."""
    problems = _password_problems()
    if importlib.util.find_spec("flask_wtf") is None:
        problems.append("MLflow's passwords need one more package: pip install 'mlflow[auth]'")
    if problems:
        raise UserError(
            f"host {host} can be reached from other machines, and MLflow would let anyone in:", *problems,
            "set MLFLOW_AUTH_CONFIG_PATH to a file with a section [mlflow] that has default_permission, database_uri, "
            "admin_username and an admin_password of 12 letters or more; or leave --host out",
        )  # fmt: skip
    names = {"localhost", "127.0.0.1", socket.gethostname(), socket.getfqdn(), host} - {"0.0.0.0", "::"}
    hosts = ",".join([*sorted(names), *(f"{name}:*" for name in sorted(names)), *PRIVATE])
    return {
        # Signs the sign-up form; must be the same in all workers, and need not outlive them.
        "MLFLOW_FLASK_SERVER_SECRET_KEY": os.environ.get("MLFLOW_FLASK_SERVER_SECRET_KEY") or secrets.token_hex(32),
        "MLFLOW_AUTH_CONFIG_PATH": str(expand_home(os.environ["MLFLOW_AUTH_CONFIG_PATH"])),
        "MLFLOW_SERVER_ALLOWED_HOSTS": os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS") or hosts,
    }


def _password_problems() -> list[str]:
    named = os.environ.get("MLFLOW_AUTH_CONFIG_PATH")
    if not named:
        return ["MLFLOW_AUTH_CONFIG_PATH is not set"]
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(expand_home(named).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        return [f"MLFLOW_AUTH_CONFIG_PATH={named} cannot be read: {type(error).__name__}"]
    missing = [
        key
        for key in ("default_permission", "database_uri", "admin_username")
        if not config.get("mlflow", key, fallback="")
    ]
    problems = [f"{named}: section [mlflow] has no {', '.join(missing)}"] if missing else []
    password = os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD", config.get("mlflow", "admin_password", fallback=""))
    if password in KNOWN_PASSWORDS or len(password) < 12:
        problems.append(f"{named}: admin_password is missing, shorter than 12 letters, or MLflow's own default")
    return problems


def _pages(host: str, port: int, uri: str) -> list[str]:
    """Addresses that open on runs: by itself MLflow opens every experiment on its page for language-model traces."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    shown = host if host not in ("0.0.0.0", "::") else socket.gethostname()
    base = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    try:
        found = list(MlflowClient(uri).search_experiments(filter_string="name LIKE 'raykd-%'"))
    except MlflowException:  # an older database, which the server says better
        found = []
    pages = [f"{one.name}: {base}/#/experiments/{one.experiment_id}?workflowType=machine_learning" for one in found]
    return [f"MLflow on {base}", *pages]
