"""Network policies, read as a cluster reads them: nobody speaks to anybody, but for the pairs listed here."""

from __future__ import annotations

from tests.deploy.documents import Document, Pod

# Who may open a connection to whom, inside the namespace. Anything else in a built overlay is a hole.
WANTED = {
    ("ray", "ray", None),
    ("submitter", "ray", 8265),
    ("ray", "mlflow", 5000),
    ("mlflow-user", "mlflow", 5000),
}
STORAGE = {
    ("ray", "minio", 9000),
    ("mlflow", "minio", 9000),
    ("ray", "postgres", 5432),
    ("mlflow", "postgres", 5432),
}


def policies(documents: list[Document]) -> list[Document]:
    return [document["spec"] for document in documents if document["kind"] == "NetworkPolicy"]


def labels(pod: Pod) -> dict[str, str]:
    """What the pod will wear: KubeRay adds the type of node."""
    kind = {" head": "head", " cpu": "worker", " gpu": "worker"}
    node = next((value for end, value in kind.items() if pod.owner.endswith(end)), None)
    return {**pod.metadata["labels"], **({"ray.io/node-type": node} if node else {})}


def selects(selector: Document, worn: dict[str, str]) -> bool:
    if not selector.get("matchLabels", {}).items() <= worn.items():
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if worn.get(expression["key"]) not in expression["values"]:
            return False
    return True


def opened(documents: list[Document], worn: dict[str, str], other: dict[str, str], way: str) -> set[int | None]:
    """Ports that policies selecting `worn` open to (`egress`) or from (`ingress`) a pod wearing `other`; None: all."""
    side = "to" if way == "egress" else "from"
    ports: set[int | None] = set()
    for policy in policies(documents):
        if way.capitalize() in policy["policyTypes"] and selects(policy["podSelector"], worn):
            for rule in policy.get(way, []):
                peers = [peer for peer in rule[side] if "podSelector" in peer and "namespaceSelector" not in peer]
                if any(selects(peer["podSelector"], other) for peer in peers):
                    ports |= {port["port"] for port in rule["ports"]} if "ports" in rule else {None}
    return ports


def test_deny_by_default(documents: list[Document]) -> None:
    everything = [policy for policy in policies(documents) if policy["podSelector"] == {}]
    assert everything == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


def test_exactly_the_wanted_pairs(documents: list[Document], every_pod: list[Pod]) -> None:
    """A connection needs both ends' consent: egress of the one, ingress of the other."""
    pairs: set[tuple[str, str, int | None]] = set()
    for one in every_pod:
        for other in every_pod:
            out = opened(documents, labels(one), labels(other), "egress")
            into = opened(documents, labels(other), labels(one), "ingress")
            both = out | into if None in out and None in into else out & into
            both = {None} if None in both else both
            names = [pod.metadata["labels"]["app.kubernetes.io/component"] for pod in (one, other)]
            pairs |= {(names[0], names[1], port) for port in both}
    inside = any(document["kind"] == "StatefulSet" for document in documents)
    assert pairs == (WANTED | STORAGE if inside else WANTED)


def test_workers_reach_no_database(documents: list[Document], every_pod: list[Pod]) -> None:
    """Trials run what the driver hands them; the study is the driver's to write."""
    databases = [pod for pod in every_pod if pod.owner == "StatefulSet/postgres"]
    workers = [pod for pod in every_pod if labels(pod).get("ray.io/node-type") == "worker"]
    assert workers
    for worker in workers:
        for database in databases:
            assert opened(documents, labels(worker), labels(database), "egress") == set()


def test_every_pod_resolves_names(documents: list[Document], every_pod: list[Pod]) -> None:
    for pod in every_pod:
        found = [
            port["port"]
            for policy in policies(documents)
            if "Egress" in policy["policyTypes"] and selects(policy["podSelector"], labels(pod))
            for rule in policy.get("egress", [])
            for peer in rule["to"]
            if peer.get("namespaceSelector", {}).get("matchLabels") == {"kubernetes.io/metadata.name": "kube-system"}
            for port in rule["ports"]
        ]
        assert found == [53, 53], pod.owner


def test_only_the_operator_enters_from_outside(documents: list[Document]) -> None:
    strangers = [
        (peer["namespaceSelector"]["matchLabels"], peer["podSelector"]["matchLabels"], rule["ports"])
        for policy in policies(documents)
        for rule in policy.get("ingress", [])
        for peer in rule["from"]
        if "namespaceSelector" in peer or "ipBlock" in peer
    ]
    operator = {"app.kubernetes.io/component": "kuberay-operator"}
    port = {"protocol": "TCP", "port": 8265}
    assert strangers == [({"kubernetes.io/metadata.name": "kuberay-operator"}, operator, [port])]
