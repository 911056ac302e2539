"""Every document of every overlay is what the API servers of Kubernetes and KubeRay accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.deploy.conftest import parsed
from tests.deploy.documents import Document, dump, pods
from tests.deploy.tools import DEPLOY, OVERLAYS, run, tool

KUBERNETES = ("1.31", "1.34")  # oldest and newest that the README names
RAY = ("RayCluster", "RayJob", "RayCronJob")


def closed(schema: Any) -> Any:
    """The schema, refusing fields it does not name. The API server would drop them, with a warning at best: a typo in
    `authOptions` must not start an open cluster."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields", False)
        result["additionalProperties"] = open_ended
    return result


@pytest.fixture(scope="module")
def kuberay(shared: Path) -> dict[str, Any]:
    folder = shared / "schemas" / "kuberay"
    if not folder.is_dir():
        pytest.skip("no KubeRay schemas beside the repository")
    return {kind: closed(json.loads((folder / f"{kind}.v1.json").read_text())) for kind in RAY}


def problems(document: Document, schema: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def test_kuberay(documents: list[Document], kuberay: dict[str, Any]) -> None:
    ours = [document for document in documents if document["apiVersion"].startswith("ray.io/")]
    assert sorted(document["kind"] for document in ours) == sorted(RAY)
    for document in ours:
        assert document["apiVersion"] == "ray.io/v1"
        assert problems(document, kuberay[document["kind"]]) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("authOptions", "mod"), "token"),
        (("authOptions", "mode"), "Token"),
        (("headGroupSpec", "template", "spec", "containers", 0, "ressources"), {}),
        (("workerGroupSpecs", 0, "minReplicas"), "0"),
    ],
)
def test_kuberay_notices(
    documents: list[Document], kuberay: dict[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    (cluster,) = (document for document in documents if document["kind"] == "RayCluster")
    broken = json.loads(json.dumps(cluster))
    place = broken["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert problems(broken, kuberay["RayCluster"]) != []


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes(tmp_path: Path, version: str) -> None:
    """All else of all overlays, and what KubeRay will make pods of."""
    files = []
    for overlay in OVERLAYS:
        documents = parsed(overlay)
        plain = [document for document in documents if document["kind"] not in RAY]
        assert len(plain) > 20
        files.append(tmp_path / f"{overlay}.yaml")
        files[-1].write_text(dump([*plain, *(pod.document() for pod in pods(documents))]))
    done = run([tool("kubernetes-validate"), "--strict", "--quiet", "--kubernetes-version", version, *map(str, files)])
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARN" not in said, said


def test_compose() -> None:
    done = run([tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")])
    assert done.returncode == 0, done.stdout
