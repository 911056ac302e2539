"""Make the secrets of a deployment.

    python deploy/make_secrets.py new > deploy/secrets.env          a filled-in copy of secrets.example.env
    python deploy/make_secrets.py manifest | kubectl apply -f -     Kubernetes: five Secrets
    python deploy/make_secrets.py files                             Compose: the same as files under deploy/.secrets

Passwords reach the pods as files, never as environment variables: they stay out of `kubectl describe`, crash dumps and
child processes. PostgreSQL's is in a service file (PGSERVICEFILE), because libpq refuses a password file that its group
may read, and a Secret mounted for a non-root user is just that. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMESPACE = "raykd"
MAY_BE_EMPTY = {"S3_ACCESS_KEY", "S3_SECRET_KEY"}


def read(file: Path) -> dict[str, str]:
    """NAME=value lines. Raises SystemExit naming all that is missing, unknown or empty."""
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    values = dict(line.split("=", 1) for line in lines)
    wanted = names()
    problems = [f"{name} is not set" for name in wanted if not values.get(name) and name not in MAY_BE_EMPTY]
    problems += [f"unknown {name}; known: {', '.join(wanted)}" for name in values if name not in wanted]
    problems += [f"{name} has a quote or a blank in it" for name, value in values.items() if set(value) & set("'\" \t")]
    if problems:
        raise SystemExit("\n".join(f"{file}: {problem}" for problem in problems))
    return {name: values.get(name, "") for name in wanted}


def names() -> list[str]:
    """The variables that secrets.example.env lists."""
    lines = (HERE / "secrets.example.env").read_text().splitlines()
    return [line.split("=")[0] for line in lines if line and not line.startswith("#")]


def new() -> str:
    """secrets.example.env with 160 random bits behind each name; an S3 key's name has 20 characters at most."""
    text = (HERE / "secrets.example.env").read_text()
    for name in names():
        text = text.replace(f"\n{name}=\n", f"\n{name}={secrets.token_hex(10 if name == 'S3_ACCESS_KEY' else 20)}\n")
    return text


def files(values: dict[str, str]) -> dict[str, dict[str, str]]:
    """What each Secret holds, by file name."""
    aws = ""
    if values["S3_ACCESS_KEY"]:
        aws = (
            f"[default]\naws_access_key_id = {values['S3_ACCESS_KEY']}\n"
            f"aws_secret_access_key = {values['S3_SECRET_KEY']}\n"
        )

    def service(role: str, password: str) -> str:
        return f"[{role}]\npassword={password}\n"

    def ini(text: str) -> str:  # configparser reads % as the start of a reference
        return text.replace("%", "%%")

    mlflow, raykd = values["POSTGRES_MLFLOW_PASSWORD"], values["POSTGRES_RAYKD_PASSWORD"]
    return {
        "ray-auth": {"auth_token": values["RAY_AUTH_TOKEN"]},
        "raykd-client": {
            "pg_service.conf": service("raykd", raykd),
            "aws-credentials": aws,
            "mlflow-credentials": "[mlflow]\nmlflow_tracking_username = raykd\n"
            f"mlflow_tracking_password = {ini(values['MLFLOW_RAYKD_PASSWORD'])}\n",
        },
        "mlflow-server": {
            "pg_service.conf": service("mlflow", mlflow),
            "aws-credentials": aws,
            "flask-key": values["MLFLOW_FLASK_KEY"],
            "admin-password": values["MLFLOW_ADMIN_PASSWORD"],
            "raykd-password": values["MLFLOW_RAYKD_PASSWORD"],
        },
        "postgres": {
            "postgres-password": values["POSTGRES_PASSWORD"],
            "mlflow-password": mlflow,
            "raykd-password": raykd,
        },
        "minio": {"root-user": values["S3_ACCESS_KEY"], "root-password": values["S3_SECRET_KEY"]},
    }


def manifest(values: dict[str, str], namespace: str = NAMESPACE) -> str:
    """A List of Secrets as JSON, which kubectl reads as it reads YAML."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "raykd"}},
            "type": "Opaque",
            "stringData": content,
        }
        for name, content in files(values).items()
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)


def write(values: dict[str, str], folder: Path) -> None:
    """One folder a Secret. The containers' users must read the files, other users of this machine must not reach them:
    the door is the folder, which only its owner may enter, while a mount of a single file does not pass it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for name, content in files(values).items():
        (folder / name).mkdir(exist_ok=True)
        for file, text in content.items():
            (folder / name / file).write_text(text)
            (folder / name / file).chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the secrets of a deployment.")
    parser.add_argument("what", choices=["new", "manifest", "files"])
    parser.add_argument("--file", type=Path, default=HERE / "secrets.env")
    parser.add_argument("--folder", type=Path, default=HERE / ".secrets", help="where `files` writes")
    given = parser.parse_args()
    if given.what == "new":
        sys.stdout.write(new())
    elif given.what == "manifest":
        sys.stdout.write(manifest(read(given.file)))
    else:
        write(read(given.file), given.folder)


if __name__ == "__main__":
    main()
