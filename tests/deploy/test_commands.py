"""What the manifests run exists: flags of raykd, scripts of the image, the versions that the image installs."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from raykd import cli
from tests.deploy.documents import Document, jobs, read_file
from tests.deploy.tools import DEPLOY, ROOT


def flags(command: str) -> dict[str, bool]:
    """Flags of a raykd command: whether each takes a value."""
    group = typer.main.get_command(cli.app)
    parameters = group.commands[command].params  # type: ignore[attr-defined]
    return {name: not parameter.is_flag for parameter in parameters for name in parameter.opts if name.startswith("-")}


def words(line: str) -> list[str]:
    """As a shell splits them; what it substitutes stands for one word."""
    return shlex.split(re.sub(r"\$\([^)]*\)|\$\{[^}]*\}", "X", line))


def check(line: str) -> dict[str, str | None]:
    """The flags that a raykd line gives, after checking that each exists and has its value."""
    program, command, *rest = words(line)
    assert program == "raykd"
    known = flags(command)
    given: dict[str, str | None] = {}
    while rest:
        flag = rest.pop(0)
        assert flag in known, f"raykd {command} has no {flag}"
        assert flag not in given, f"{flag} twice"
        given[flag] = rest.pop(0) if known[flag] else None
        assert not (given[flag] or "").startswith("--"), f"{flag} has no value"
    return given


def test_jobs(documents: list[Document]) -> None:
    for name, job in jobs(documents):
        given = check(job["entrypoint"])
        assert given["--address"] == "auto", name
        assert "--continue" in given, name
        assert given["--name"], name
        # The cluster starts empty, so neither can be found out from it.
        assert int(given["--concurrency"] or 0) > 0, name
        assert int(given["--wait-for-nodes"] or 0) >= 600, name


@pytest.mark.parametrize(("file", "path"), [("sweep", ()), ("weekly", ("jobTemplate",))])
def test_jobs_of_the_base(file: str, path: tuple[str, ...]) -> None:
    """What an overlay gets that says nothing about it."""
    spec = read_file(DEPLOY / "base" / "ray" / f"{file}.yaml")["spec"]
    for step in path:
        spec = spec[step]
    given = check(spec["entrypoint"])
    assert given["--address"] == "auto"
    assert "--continue" in given


@pytest.mark.parametrize("file", ["README.md", "compose.yaml"])
def test_documented_lines(file: str) -> None:
    text = (DEPLOY / file).read_text().replace("\\\n", " ")
    lines = re.findall(r"\braykd (?:tune|submit) [^\n`|]*", re.sub(r"(?m)^# ?", "", text))
    assert lines
    for line in lines:
        submit, separator, sent = line.partition(" -- ")
        check(submit)
        if separator:
            assert submit.startswith("raykd submit")
            check(f"raykd {sent}")


def test_versions_agree() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    cluster = read_file(DEPLOY / "base" / "ray" / "cluster.yaml")
    assert cluster["spec"]["rayVersion"] == pins["ray"]
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    tags = re.findall(r"newTag: (\S+)", "".join(file.read_text() for file in DEPLOY.rglob("kustomization.yaml")))
    assert {tag.rsplit("-", 1)[0] for tag in tags} == {version.group(1)}


def test_image_brings_what_manifests_run() -> None:
    scripts = {file.name for file in (DEPLOY / "image").iterdir()}
    assert scripts == {"leave-node", "mlflow-user"}
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "deploy/image/ /usr/local/bin/" in dockerfile
    assert re.search(r"^USER 10001:10001$", dockerfile, re.M)
    sources = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", dockerfile, re.M)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {part.rstrip("/") for source in sources for part in source.split()} == allowed
