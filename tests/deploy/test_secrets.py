"""deploy/make_secrets.py makes what the manifests and compose.yaml mount, and nothing that could be committed."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from pathlib import Path

from tests.deploy.documents import Pod, read_file
from tests.deploy.tools import DEPLOY, ROOT, run

SCRIPT = DEPLOY / "make_secrets.py"


def made(folder: Path, *arguments: str, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    file = folder / "secrets.env"
    new = run([sys.executable, str(SCRIPT), "new"])
    assert new.returncode == 0, new.stderr
    file.write_text(new.stdout.replace(*change) if change[0] else new.stdout)
    return run([sys.executable, str(SCRIPT), *arguments, "--file", str(file)])


def kubernetes(folder: Path) -> dict[str, dict[str, str]]:
    done = made(folder, "manifest")
    assert done.returncode == 0, done.stderr
    return {secret["metadata"]["name"]: secret["stringData"] for secret in json.loads(done.stdout)["items"]}


def test_pods_mount_what_is_made(every_pod: list[Pod], tmp_path: Path) -> None:
    secrets = kubernetes(tmp_path)
    mounted = 0
    for pod in every_pod:
        for volume in pod.spec["volumes"]:
            if "secret" in volume:
                keys = secrets[volume["secret"]["secretName"]]
                assert {item["key"] for item in volume["secret"].get("items", [])} <= set(keys), pod.owner
                mounted += 1
        for container in pod.containers():
            files = {variable.get("value", "") for variable in container.get("env", [])}
            for path in (Path(file) for file in files if file.startswith("/run/secrets/")):
                (mount,) = (m for m in container["volumeMounts"] if m["mountPath"] == str(path.parent))
                (volume,) = (v for v in pod.spec["volumes"] if v["name"] == mount["name"])
                items = volume["secret"].get("items")
                there = {i["path"] for i in items} if items else set(secrets[volume["secret"]["secretName"]])
                assert path.name in there, (pod.owner, path)
    assert mounted > 10


def test_compose_mounts_what_is_made(tmp_path: Path) -> None:
    folder = tmp_path / ".secrets"
    done = made(tmp_path, "files", "--folder", str(folder))
    assert done.returncode == 0, done.stderr
    files = {secret["file"] for secret in read_file(DEPLOY / "compose.yaml")["secrets"].values()}
    assert {str(path.relative_to(tmp_path)) for path in folder.rglob("*") if path.is_file()} == files
    assert folder.stat().st_mode & 0o777 == 0o700


def test_values_are_new_each_time(tmp_path: Path) -> None:
    first, second = kubernetes(tmp_path), kubernetes(tmp_path)
    assert first["ray-auth"]["auth_token"] != second["ray-auth"]["auth_token"]
    assert len(first["ray-auth"]["auth_token"]) >= 40


def test_one_password_both_ends(tmp_path: Path) -> None:
    secrets = kubernetes(tmp_path)
    for role, secret in (("raykd", "raykd-client"), ("mlflow", "mlflow-server")):
        service = configparser.ConfigParser()
        service.read_string(secrets[secret]["pg_service.conf"])
        assert service[role]["password"] == secrets["postgres"][f"{role}-password"]


def test_percent_signs_survive(tmp_path: Path) -> None:
    """MLflow reads its credentials with configparser, which takes % for a reference."""
    change = ("MLFLOW_RAYKD_PASSWORD=", "MLFLOW_RAYKD_PASSWORD=100%")
    done = made(tmp_path, "manifest", change=change)
    content = {s["metadata"]["name"]: s["stringData"] for s in json.loads(done.stdout)["items"]}
    credentials = configparser.ConfigParser()
    credentials.read_string(content["raykd-client"]["mlflow-credentials"])
    assert credentials["mlflow"]["mlflow_tracking_password"] == content["mlflow-server"]["raykd-password"]


def test_cloud_identity_needs_no_key(tmp_path: Path) -> None:
    """An empty credentials file leaves the SDK to its other sources."""
    file = tmp_path / "secrets.env"
    lines = run([sys.executable, str(SCRIPT), "new"]).stdout.splitlines()
    file.write_text("\n".join(line.split("=")[0] + "=" if line.startswith("S3_") else line for line in lines))
    done = run([sys.executable, str(SCRIPT), "manifest", "--file", str(file)])
    assert done.returncode == 0, done.stderr
    content = {s["metadata"]["name"]: s["stringData"] for s in json.loads(done.stdout)["items"]}
    assert content["raykd-client"]["aws-credentials"] == ""


def test_refusals_name_all_problems(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("RAY_AUTH_TOKEN=\nPOSTGRES_PASWORD=abc\n")
    done = run([sys.executable, str(SCRIPT), "manifest", "--file", str(file)])
    assert done.returncode == 1
    assert "RAY_AUTH_TOKEN is not set" in done.stderr
    assert "unknown POSTGRES_PASWORD" in done.stderr


def test_example_is_empty_and_copies_are_ignored() -> None:
    lines = (DEPLOY / "secrets.example.env").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#") and not line.endswith("=")] == []
    assert {"secrets.env", ".secrets/"} <= set((DEPLOY / ".gitignore").read_text().splitlines())
    kept_out = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in kept_out
    assert [line for line in kept_out if line.startswith("!deploy")] == ["!deploy/image"]
