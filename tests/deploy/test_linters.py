"""Linters find nothing; what they are told to leave out is argued beside the resource."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.conftest import parsed
from tests.deploy.documents import Document, Pod, dump, pods
from tests.deploy.tools import DEPLOY, OVERLAYS, run, tool

ARGUED = re.compile(r"^CKV2?_K8S_\d+=.{40,}")


Finding = dict[str, str]


@pytest.fixture(scope="module")
def checkov(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """Findings by file: the overlays, one broken pod, the Dockerfile. One run, since starting it takes longest; every
    check it has is on. Ray's pods are laid out as pods: checkov does not look into KubeRay's kinds."""
    folder = tmp_path_factory.mktemp("built")
    for overlay in OVERLAYS:
        documents = parsed(overlay)
        laid_out = [pod.document() for pod in pods(documents) if pod.ray]
        (folder / f"{overlay}.yaml").write_text(dump([*documents, *laid_out]))
    (worker,) = (pod for pod in laid_out if pod["metadata"]["name"] == "raycluster-raykd-cpu")
    (folder / "broken.yaml").write_text(dump([broken(worker)]))
    shutil.copy(DEPLOY / "Dockerfile", folder)
    # --skip-download: it asks its makers' server for more, unless told not to.
    files = ["--directory", str(folder), "--framework", "kubernetes", "dockerfile"]
    done = run([tool("checkov"), *files, "--output", "json", "--skip-download"])
    found: dict[str, list[Finding]] = {}
    for report in json.loads(done.stdout):
        assert report["summary"]["parsing_errors"] == 0
        for outcome in ("passed_checks", "failed_checks"):
            for finding in report["results"][outcome]:
                name = Path(finding["file_path"]).name
                found.setdefault(name, [])
                found.setdefault(f"{name} {outcome}", []).append(finding)
                if outcome == "failed_checks":
                    found[name].append(finding)
    return found


def broken(pod: Document) -> Document:
    """What the linter must find in a copy of a good pod."""
    pod = copy.deepcopy(pod)
    pod["metadata"]["name"] = "broken"
    pod["spec"]["containers"][0]["securityContext"]["privileged"] = True
    del pod["spec"]["containers"][0]["livenessProbe"]
    return pod


def names(findings: list[Finding]) -> list[str]:
    return [f"{finding['check_id']} {finding['resource']}: {finding['check_name']}" for finding in findings]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests(checkov: dict[str, list[Finding]], overlay: str) -> None:
    assert len(checkov[f"{overlay}.yaml passed_checks"]) > 300
    assert names(checkov[f"{overlay}.yaml"]) == []


def test_checkov_notices(checkov: dict[str, list[Finding]]) -> None:
    """What a clean report is worth."""
    assert {finding["check_id"] for finding in checkov["broken.yaml"]} >= {"CKV_K8S_16", "CKV_K8S_8"}


def test_dockerfile(checkov: dict[str, list[Finding]]) -> None:
    assert len(checkov["Dockerfile passed_checks"]) > 50
    assert names(checkov["Dockerfile"]) == []
    done = run([tool("hadolint"), "--failure-threshold", "style", str(DEPLOY / "Dockerfile")])
    assert done.returncode == 0, done.stdout


def test_skips_are_argued(documents: list[Document], every_pod: list[Pod]) -> None:
    metadata = [document["metadata"] for document in documents] + [pod.metadata for pod in every_pod]
    skips = [
        value
        for one in metadata
        for key, value in (one.get("annotations") or {}).items()
        if key.startswith("checkov.io/")
    ]
    assert skips
    assert [skip for skip in skips if not ARGUED.match(skip)] == []
    assert {skip.split("=")[0] for skip in skips} <= {"CKV_K8S_8", "CKV_K8S_9", "CKV_K8S_15", "CKV_K8S_43"}


@pytest.mark.parametrize("word", ["hadolint ignore", "checkov:skip"])
def test_dockerfile_without_exceptions(word: str) -> None:
    assert word not in (DEPLOY / "Dockerfile").read_text()
