"""Our own rules for the built overlays: each of these fails when the guard it names is taken away."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.documents import Document, Pod, clusters, jobs

CONFINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
ENDS = ("submitter/", "Job/")  # run to their end: no probe could add to the exit code
SECRET = re.compile(r"password|secret|token|credential|key", re.I)


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def named(documents: list[Document], kind: str, name: str) -> Document:
    (found,) = (document for document in of_kind(documents, kind) if document["metadata"]["name"] == name)
    return found


def test_namespace_is_restricted(documents: list[Document]) -> None:
    (namespace,) = of_kind(documents, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    spaceless = ("Namespace",)
    strays = [d for d in documents if d["kind"] not in spaceless and d["metadata"].get("namespace") != "raykd"]
    assert [f"{d['kind']}/{d['metadata']['name']}" for d in strays] == []


def test_no_cluster_wide_object(documents: list[Document]) -> None:
    assert of_kind(documents, "ClusterRole", "ClusterRoleBinding") == []


def test_containers_are_confined(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        for container in pod.containers():
            context = container["securityContext"]
            assert {key: context.get(key) for key in CONFINED} == CONFINED, (pod.owner, container["name"])
            assert context["runAsUser"] >= 10000, (pod.owner, container["name"])
            assert "add" not in context["capabilities"]


def test_pods_keep_to_themselves(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        shared = {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod.spec)
        assert shared == set(), pod.owner
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert not [volume for volume in pod.spec["volumes"] if "hostPath" in volume], pod.owner


def test_kubernetes_token_reaches_the_autoscaler_alone(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        tokens = {
            volume["name"]
            for volume in pod.spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        }
        holders = {c["name"] for c in pod.containers() for mount in c["volumeMounts"] if mount["name"] in tokens}
        assert holders == ({"autoscaler"} if pod.owner.endswith(" head") else set()), pod.owner


def test_role_is_minimal(documents: list[Document]) -> None:
    (role,) = of_kind(documents, "Role")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["get", "patch"]},
    ]


def test_containers_have_limits(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        for container in pod.containers():
            resources = container["resources"]
            for bound in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(resources[bound]), (pod.owner, container["name"], bound)


def test_writable_folders_have_limits(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        empty = [volume for volume in pod.spec["volumes"] if "emptyDir" in volume]
        assert [volume["name"] for volume in empty if "sizeLimit" not in volume["emptyDir"]] == [], pod.owner


def test_containers_have_probes(every_pod: list[Pod]) -> None:
    served = [pod for pod in every_pod if not pod.owner.startswith(ENDS)]
    assert len(served) >= 7
    for pod in served:
        for container in pod.containers():
            if container["name"] != "autoscaler":  # KubeRay's own, which takes no probe
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    assert probe in container, (pod.owner, container["name"], probe)


def test_images_are_named_exactly(every_pod: list[Pod]) -> None:
    for pod in every_pod:
        for container in pod.containers():
            tag = re.search(r"(@sha256:[0-9a-f]{64}|:[\w.-]+)$", container["image"])
            assert tag, (pod.owner, container["image"])
            assert tag.group() != ":latest"


def test_services_are_internal(documents: list[Document]) -> None:
    services = of_kind(documents, "Service")
    assert services
    assert {service["spec"]["type"] for service in services} == {"ClusterIP"}
    assert of_kind(documents, "Ingress", "HTTPRoute") == []
    for document in documents:
        for cluster in clusters(document):
            assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
            assert not cluster["headGroupSpec"].get("enableIngress", False)


def test_ray_asks_for_a_token(documents: list[Document], every_pod: list[Pod]) -> None:
    found = [cluster for document in documents for cluster in clusters(document)]
    assert len(found) == 3
    assert [cluster["authOptions"] for cluster in found] == [{"mode": "token", "secretName": "ray-auth"}] * 3
    for pod in (pod for pod in every_pod if pod.ray):
        for container in pod.containers():
            if container["name"] == "autoscaler":  # the operator sets its token, by authOptions
                continue
            env = {variable["name"]: variable.get("value") for variable in container["env"]}
            assert env["RAY_AUTH_MODE"] == "token", (pod.owner, container["name"])
            folder = env["RAY_AUTH_TOKEN_PATH"].rsplit("/", 1)[0]
            assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_no_secret_in_a_manifest(documents: list[Document], every_pod: list[Pod]) -> None:
    assert of_kind(documents, "Secret") == []
    for pod in every_pod:
        for container in pod.containers():
            for variable in container.get("env", []):
                name, value = variable["name"], str(variable.get("value", ""))
                by_reference = "secretKeyRef" in variable.get("valueFrom", {})
                assert not by_reference, f"{pod.owner}: {name} is a secret in the environment: mount it as a file"
                if SECRET.search(name):
                    assert value.startswith("/") or (name, value) == ("RAY_AUTH_MODE", "token"), (pod.owner, name)
    for settings in of_kind(documents, "ConfigMap"):
        for value in settings["data"].values():
            assert not re.search(r"://[^/@\s]+:[^/@\s]+@", value), "a password in a URI"
            assert not re.search(r"^\s*\w*password\s*=\s*\S", value, re.M)


def test_heads_hold_no_trial_and_stay(documents: list[Document]) -> None:
    budgets = [budget["spec"] for budget in of_kind(documents, "PodDisruptionBudget")]
    names = [
        c["headGroupSpec"]["template"]["metadata"]["labels"]["raykd/cluster"] for d in documents for c in clusters(d)
    ]
    assert sorted(names) == ["standing", "sweep", "weekly"], "one budget over two heads lets one of them go"
    for document in documents:
        for cluster in clusters(document):
            head = cluster["headGroupSpec"]
            assert head["rayStartParams"]["num-cpus"] == "0"
            labels = {**head["template"]["metadata"]["labels"], "ray.io/node-type": "head"}
            guards = [b for b in budgets if b["selector"]["matchLabels"].items() <= labels.items()]
            assert [guard["minAvailable"] for guard in guards] == [1], document["kind"]


def test_every_service_has_a_budget(documents: list[Document]) -> None:
    selectors = [budget["spec"]["selector"]["matchLabels"] for budget in of_kind(documents, "PodDisruptionBudget")]
    for owner in of_kind(documents, "Deployment", "StatefulSet"):
        labels = owner["spec"]["template"]["metadata"]["labels"]
        assert any(selector.items() <= labels.items() for selector in selectors), owner["metadata"]["name"]


def test_workers_come_and_go(documents: list[Document]) -> None:
    for document in documents:
        for cluster in clusters(document):
            assert cluster["enableInTreeAutoscaling"] is True
            assert cluster["autoscalerOptions"]["version"] == "v2"
            for group in cluster["workerGroupSpecs"]:
                assert group["minReplicas"] == 0 < group["maxReplicas"]
                container = group["template"]["spec"]["containers"][0]
                command = container["lifecycle"]["preStop"]["exec"]["command"][-1]
                waits = int(command.split()[-1])
                assert command.startswith("leave-node ")
                assert waits < group["template"]["spec"]["terminationGracePeriodSeconds"]


def test_jobs_share_the_cluster(documents: list[Document]) -> None:
    """One description, three users: what an overlay says about the RayCluster holds for the jobs' own."""

    def without_label(spec: Any) -> Any:
        if isinstance(spec, dict):
            return {key: without_label(value) for key, value in spec.items() if key != "raykd/cluster"}
        return [without_label(value) for value in spec] if isinstance(spec, list) else spec

    first, *others = [without_label(cluster) for document in documents for cluster in clusters(document)]
    assert [other == first for other in others] == [True, True]


@pytest.mark.parametrize("overlay", ["production"], indirect=True)
def test_production_workers_are_spot(documents: list[Document]) -> None:
    cluster = named(documents, "RayCluster", "raykd")["spec"]

    def terms(spec: Document) -> list[Document]:
        required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        return [expression for term in required["nodeSelectorTerms"] for expression in term["matchExpressions"]]

    assert {term["operator"] for term in terms(cluster["headGroupSpec"]["template"]["spec"])} == {"NotIn"}
    assert [group["groupName"] for group in cluster["workerGroupSpecs"]] == ["cpu", "gpu"]
    for group in cluster["workerGroupSpecs"]:
        spec = group["template"]["spec"]
        assert {term["operator"] for term in terms(spec)} == {"In"}
        assert "cloud.google.com/gke-spot" in {toleration["key"] for toleration in spec["tolerations"]}


@pytest.mark.parametrize("overlay", ["production"], indirect=True)
def test_production_keeps_nothing_itself(documents: list[Document]) -> None:
    assert of_kind(documents, "StatefulSet", "PersistentVolumeClaim") == []
    assert "AWS_ENDPOINT_URL_S3" not in named(documents, "ConfigMap", "storage")["data"]
    databases = [
        named(documents, "ConfigMap", "settings")["data"]["RAYKD_STUDY_URI"],
        named(documents, "ConfigMap", "mlflow-settings")["data"]["MLFLOW_BACKEND_STORE_URI"],
    ]
    assert [uri for uri in databases if not uri.endswith("?sslmode=require")] == []


def test_jobs_resume(documents: list[Document]) -> None:
    found = jobs(documents)
    assert [name for name, _ in found] == ["sweep", "weekly"]
    for _, job in found:
        assert job["backoffLimit"] >= 3
        assert "--continue" in job["entrypoint"].split()
        assert "clusterSelector" not in job, "KubeRay refuses to retry a job on a cluster it does not own"
        assert job["shutdownAfterJobFinishes"] is True
        assert job["activeDeadlineSeconds"] > 0
    assert named(documents, "RayCronJob", "weekly")["spec"]["suspend"] is True


def test_only_jobs_and_cluster_start_by_hand(documents: list[Document]) -> None:
    """`kubectl apply --selector '!raykd/on-demand'` must neither spend money nor stop a sweep that runs."""
    by_hand = {d["kind"] for d in documents if "raykd/on-demand" in d["metadata"].get("labels", {})}
    assert by_hand == {"RayCluster", "RayJob"}
