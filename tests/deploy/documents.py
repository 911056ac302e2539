"""What a built overlay consists of, down to the pods that controllers will make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Document = dict[str, Any]


def read(text: str) -> list[Document]:
    """The documents of a YAML stream."""
    return [document for document in YAML(typ="safe", pure=True).load_all(text) if document]


def read_file(file: Path) -> Document:
    """The one document of a file."""
    (document,) = read(file.read_text())
    return document


def dump(documents: list[Document]) -> str:
    """As a YAML stream, each written as JSON: every YAML reader agrees on what that means."""
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents) + "\n"


@dataclass(frozen=True)
class Pod:
    """A pod that will be: its owner, its labels, its spec. `ray` says whether Ray runs in it."""

    owner: str
    metadata: Document
    spec: Document
    ray: bool

    def containers(self) -> list[Document]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def document(self) -> Document:
        """As a Pod object, which linters know, unlike the templates of KubeRay."""
        name = self.owner.lower().replace("/", "-").replace(" ", "-")
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**self.metadata, "name": name, "namespace": "raykd"},
            "spec": self.spec,
        }


def clusters(document: Document) -> Iterator[Document]:
    """Every RayCluster's spec in an object."""
    spec = document.get("spec", {})
    if document["kind"] == "RayCluster":
        yield spec
    elif document["kind"] == "RayJob":
        yield spec["rayClusterSpec"]
    elif document["kind"] == "RayCronJob":
        yield spec["jobTemplate"]["rayClusterSpec"]


def jobs(documents: list[Document]) -> list[tuple[str, Document]]:
    """Name and spec of each Ray job, scheduled ones too."""
    found = [(d["metadata"]["name"], d["spec"]) for d in documents if d["kind"] == "RayJob"]
    return found + [(d["metadata"]["name"], d["spec"]["jobTemplate"]) for d in documents if d["kind"] == "RayCronJob"]


def pods(documents: list[Document]) -> list[Pod]:
    """All pods, with the autoscaler that KubeRay puts beside each head."""
    found: list[Pod] = []
    for document in documents:
        owner = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            template = document["spec"]["template"]
            found.append(Pod(owner, template["metadata"], template["spec"], ray=False))
        for cluster in clusters(document):
            head = cluster["headGroupSpec"]["template"]
            options = cluster["autoscalerOptions"]
            image = head["spec"]["containers"][0]["image"]
            autoscaler = {"name": "autoscaler", "image": image} | {
                key: options[key] for key in ("imagePullPolicy", "resources", "securityContext", "volumeMounts")
            }
            spec = {**head["spec"], "containers": [*head["spec"]["containers"], autoscaler]}
            found.append(Pod(f"{owner} head", head["metadata"], spec, ray=True))
            for group in cluster["workerGroupSpecs"]:
                template = group["template"]
                found.append(Pod(f"{owner} {group['groupName']}", template["metadata"], template["spec"], ray=True))
    for name, job in jobs(documents):
        template = job["submitterPodTemplate"]
        found.append(Pod(f"submitter/{name}", template["metadata"], template["spec"], ray=True))
    return found
