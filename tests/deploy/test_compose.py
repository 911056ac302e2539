"""compose.yaml publishes to this machine alone, confines every service, and waits for health."""

from __future__ import annotations

import re

import pytest

from tests.deploy.documents import Document, read_file
from tests.deploy.tools import DEPLOY

ENDS = {"mlflow-user"}
HAVE_VOLUME_OF_ROOT = {"minio"}


@pytest.fixture(scope="module")
def compose() -> Document:
    return read_file(DEPLOY / "compose.yaml")


@pytest.fixture(scope="module")
def services(compose: Document) -> dict[str, Document]:
    return dict(compose["services"])


def test_parts(services: dict[str, Document]) -> None:
    assert set(services) == {
        "ray-head", "ray-worker", "ray-gpu-worker", "mlflow", "mlflow-user", "postgres", "minio"
    }  # fmt: skip


def test_published_on_loopback(services: dict[str, Document]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265"]
    assert not any(service.get("network_mode") for service in services.values())


def test_confined(services: dict[str, Document]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name
        assert not {"privileged", "cap_add", "pid", "ipc"} & set(service), name
        assert (name in HAVE_VOLUME_OF_ROOT) != bool(re.match(r"[1-9]", service.get("user", ""))), name


def test_storage_is_behind(compose: Document, services: dict[str, Document]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    assert [services[name]["networks"] for name in ("postgres", "minio", "mlflow-user")] == [["inside"]] * 3


def test_health(services: dict[str, Document]) -> None:
    for name, service in services.items():
        if name not in ENDS:
            assert "test" in service["healthcheck"], name
        for other, how in service.get("depends_on", {}).items():
            ends = other in ENDS
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), (name, other)


def test_ray_asks_for_a_token(services: dict[str, Document]) -> None:
    ray = [service for name, service in services.items() if name.startswith("ray-")]
    assert len(ray) == 3
    for service in ray:
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray-token"
        assert "ray-token" in service["secrets"]


def test_mlflow_asks_for_a_password(services: dict[str, Document]) -> None:
    assert "--app-name basic-auth" in services["mlflow"]["command"][-1]


def test_no_secret_in_the_file(services: dict[str, Document]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"password|secret|token|key", variable, re.I):
                assert str(value).startswith("/") or variable == "RAY_AUTH_MODE", (name, variable)


def test_images_are_those_of_kubernetes(services: dict[str, Document]) -> None:
    for part in ("postgres", "minio"):
        manifest = (DEPLOY / "components" / part / f"{part}.yaml").read_text()
        assert f"image: {services[part]['image']}\n" in manifest


def test_images_are_named_exactly(services: dict[str, Document]) -> None:
    for service in services.values():
        assert re.search(r":[\w.${}-]+$", service["image"])
        assert "latest" not in service["image"]
