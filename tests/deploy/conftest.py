"""Overlays, built once."""

from __future__ import annotations

from functools import cache

import pytest

from tests.deploy.documents import Document, Pod, pods, read
from tests.deploy.tools import DEPLOY, OVERLAYS, kustomize, run


@cache
def build(overlay: str) -> str:
    done = run([*kustomize(), str(DEPLOY / "overlays" / overlay)])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def parsed(overlay: str) -> list[Document]:
    return read(build(overlay))


@pytest.fixture
def documents(overlay: str) -> list[Document]:
    """Shared by all tests: who breaks something breaks a copy."""
    return parsed(overlay)


@pytest.fixture
def every_pod(documents: list[Document]) -> list[Pod]:
    return pods(documents)
