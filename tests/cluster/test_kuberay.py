"""The Kubernetes manifests: of the real schemas, and as guarded as they say."""

import functools
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from apigen_ray.config import load_config
from apigen_ray.pipeline.sidecars import SANDBOX_RESOURCE
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.mcp_servers import settings_of

KUBERAY = Path(__file__).parents[2] / "cluster" / "kuberay"
SCHEMAS = Path(__file__).parents[1] / "data" / "kuberay"
KUSTOMIZED = sorted(path.parent for path in KUBERAY.rglob("kustomization.yaml"))
PART_OF = ("app.kubernetes.io/part-of", "apigen-ray")


@functools.cache
def definition(kind):
    with gzip.open(SCHEMAS / f"ray.io_{kind.lower()}s.yaml.gz") as file:
        crd = yaml.load(file, yaml.CSafeLoader)
    (version,) = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {}
    return jsonschema.Draft4Validator(schema)


def closed(schema):
    """As the API server prunes: a field that is not named there is not a field."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    new = {key: closed(value) for key, value in schema.items()}
    if new.pop("x-kubernetes-int-or-string", False):
        new["type"] = ["integer", "string"]
        new.pop("anyOf", None)
    if isinstance(new.get("properties"), dict) and "additionalProperties" not in new:
        new["additionalProperties"] = bool(new.get("x-kubernetes-preserve-unknown-fields"))
    return new


def validate(document):
    if document["apiVersion"].startswith("kustomize"):
        return
    if document["apiVersion"] == "ray.io/v1":
        definition(document["kind"]).validate(document)
        for _, pod in templates(document):
            validate({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {}, "template": pod})
        return
    kubernetes_validate.validate(document, "1.33", strict=True)


def documents():
    for path in sorted(KUBERAY.rglob("*.yaml")):
        if path.name != "run.yaml":
            for index, document in enumerate(parsed(path.read_text())):
                yield pytest.param(document, id=f"{path.relative_to(KUBERAY)}-{index}")


def parsed(text):
    return list(yaml.load_all(text, yaml.CSafeLoader))  # each worker reads all when it collects


def templates(document):
    """The pod templates of a document, by what they are."""
    spec = document["spec"]
    cluster = spec.get("rayClusterSpec") or (spec if document["kind"] == "RayCluster" else None)
    if cluster:
        yield "head", cluster["headGroupSpec"]["template"]
        for group in cluster["workerGroupSpecs"]:
            yield "worker", group["template"]
    if "submitterPodTemplate" in spec:
        yield "submitter", spec["submitterPodTemplate"]
    if document["kind"] == "Deployment":
        yield "model", spec["template"]


PODS = [
    pytest.param(role, template, id=f"{document.id}-{role}")
    for document in documents()
    if "spec" in document.values[0]
    for role, template in templates(document.values[0])
    if document.values[0]["kind"] in ("RayJob", "RayCluster", "Deployment")
]
(RAYJOB,) = [d.values[0] for d in documents() if d.values[0]["kind"] == "RayJob"]
(RAYCLUSTER,) = [d.values[0] for d in documents() if d.values[0]["kind"] == "RayCluster"]
WORKERS = RAYCLUSTER["spec"]["workerGroupSpecs"]
SANDBOXES = [
    (group, container)
    for group in WORKERS
    for container in group["template"]["spec"]["containers"]
    if container["name"].startswith("sandbox")
]


def read(path):
    return parsed((KUBERAY / path).read_text())


@pytest.mark.parametrize("document", list(documents()))
def test_each_manifest_is_of_its_schema(document):
    validate(document)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("RayJob", ["spec"]),
        ("RayJob", ["spec", "rayClusterSpec", "headGroupSpec"]),
        ("RayJob", ["spec", "rayClusterSpec", "headGroupSpec", "template", "spec"]),
        ("RayCluster", ["spec", "autoscalerOptions"]),
    ],
)
def test_an_unknown_field_is_refused(kind, path):
    document = json.loads(json.dumps(RAYJOB if kind == "RayJob" else RAYCLUSTER))
    holder = document
    for step in path:
        holder = holder[step]
    holder["noSuchField"] = 1
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(document)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl to build overlays with")
@pytest.mark.parametrize("folder", KUSTOMIZED, ids=lambda path: str(path.relative_to(KUBERAY)))
def test_each_overlay_builds_and_is_of_its_schemas(folder):
    built = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True
    ).stdout
    for document in parsed(built):
        validate(document)


def test_the_interactive_cluster_is_that_of_the_job():
    assert RAYCLUSTER["spec"] == RAYJOB["spec"]["rayClusterSpec"]


@pytest.mark.parametrize(("role", "template"), PODS)
def test_no_container_runs_as_root_or_gains_rights(role, template):
    pod = template["spec"]["securityContext"]
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in template["spec"]["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged")


@pytest.mark.parametrize(("role", "template"), PODS)
def test_only_the_head_has_a_service_account_token_for_its_autoscaler(role, template):
    assert template["spec"].get("automountServiceAccountToken", True) == (role == "head")
    assert RAYCLUSTER["spec"]["enableInTreeAutoscaling"]


@pytest.mark.parametrize(("role", "template"), PODS)
def test_no_pod_shares_the_host_or_its_processes(role, template):
    spec = template["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not spec.get("shareProcessNamespace")
    assert not any("hostPath" in volume for volume in spec.get("volumes", []))


@pytest.mark.parametrize(("role", "template"), PODS)
def test_each_container_says_what_it_needs_and_may_have(role, template):
    for container in template["spec"]["containers"]:
        for side in ("requests", "limits"):
            assert {"cpu", "memory"} <= container["resources"][side].keys()


@pytest.mark.parametrize(("role", "template"), PODS)
def test_each_pod_is_under_the_network_policy(role, template):
    assert PART_OF in template["metadata"]["labels"].items()
    (policy, _) = read("base/network-policies.yaml")
    assert policy["spec"]["podSelector"]["matchLabels"] == dict([PART_OF])


def test_nobody_outside_reaches_ray_but_the_operator_and_prometheus():
    (policy, autoscaler) = read("base/network-policies.yaml")
    own, operator, prometheus = policy["spec"]["ingress"]
    assert own["from"] == [{"podSelector": {"matchLabels": dict([PART_OF])}}]
    assert [port["port"] for port in operator["ports"]] == [8265]
    assert [port["port"] for port in prometheus["ports"]] == [8080]
    assert autoscaler["spec"]["policyTypes"] == ["Egress"]


def test_metadata_services_and_other_pods_are_out_of_reach():
    (policy, _) = read("base/network-policies.yaml")
    blocks = [
        to["ipBlock"] for rule in policy["spec"]["egress"] for to in rule["to"] if "ipBlock" in to
    ]
    (block,) = blocks
    assert {"169.254.0.0/16", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"} <= set(
        block["except"]
    )


def test_no_service_exposes_a_port_of_ray():
    kinds = [document.values[0]["kind"] for document in documents()]
    assert "Ingress" not in kinds
    assert "serviceType" not in RAYCLUSTER["spec"]["headGroupSpec"]
    services = [d.values[0] for d in documents() if d.values[0]["kind"] == "Service"]
    assert all(service["spec"].get("type", "ClusterIP") == "ClusterIP" for service in services)


def test_ray_wants_a_token():
    assert RAYCLUSTER["spec"]["authOptions"] == {"mode": "token"}


def test_the_head_runs_no_tasks_and_outlives_its_drain():
    head = RAYCLUSTER["spec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert head["template"]["spec"]["terminationGracePeriodSeconds"] >= 120


def test_a_run_ends_its_cluster_and_is_tried_again():
    assert RAYJOB["spec"]["shutdownAfterJobFinishes"]
    assert RAYJOB["spec"]["backoffLimit"] > 0


@pytest.mark.parametrize(("group", "sandbox"), SANDBOXES)
def test_a_sandbox_has_no_key_no_disk_and_a_root_it_cant_write(group, sandbox):
    assert not {"env", "envFrom", "ports"} & sandbox.keys()
    assert sandbox["securityContext"]["readOnlyRootFilesystem"]
    ray = group["template"]["spec"]["securityContext"]["runAsUser"]
    assert sandbox["securityContext"]["runAsUser"] != ray
    volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
    for mount in sandbox["volumeMounts"]:
        assert volumes[mount["name"]]["emptyDir"]["medium"] == "Memory"
        assert mount["mountPath"] == "/tmp" or mount["readOnly"]


def test_no_two_sandboxes_share_a_scratch_folder():
    scratch = [
        m["name"] for _, c in SANDBOXES for m in c["volumeMounts"] if m["mountPath"] == "/tmp"
    ]
    assert len(set(scratch)) == len(SANDBOXES) > 1


def test_the_config_fits_the_cluster():
    run = load_config(KUBERAY / "base" / "run.yaml")
    (group,) = WORKERS
    assert run.sandbox.kind == "sidecar"
    assert run.sandbox.slots == len(SANDBOXES)
    assert run.actors.execute.max <= group["replicas"]
    assert json.loads(json.loads(group["rayStartParams"]["resources"])) == {SANDBOX_RESOURCE: 1}
    mounts = [
        m["mountPath"] for c in group["template"]["spec"]["containers"] for m in c["volumeMounts"]
    ]
    assert run.sandbox.socket_dir in mounts


def test_the_servers_of_the_overlay_are_those_that_its_tools_call():
    overlay = KUBERAY / "overlays" / "mcp"
    files = {"tools": f"[{overlay / 'tools.jsonl'}]", "mcp_servers": overlay / "mcp.json"}
    run = load_config(overlay / "run.yaml", [f"{key}={value}" for key, value in files.items()])
    tools = load_library(run.tools).tools
    assert {tool.backend.server for tool in tools} <= run.mcp_servers.keys()
    assert run.sandbox.slots == len(SANDBOXES)
    assert settings_of(str(overlay / "mcp.json"))[0].kind == "sidecar"


def test_budgets_and_policies_select_what_the_operator_labels():
    budgets = read("base/disruption-budgets.yaml")
    kinds = [b["spec"]["selector"]["matchLabels"]["ray.io/node-type"] for b in budgets]
    assert kinds == ["head", "worker"]
