"""What must hold for every release, whatever its values: each policy yields a line for everything that breaks it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rendering import Manifest, containers, environment, named, of_kind, pod_of, workloads

Policy = Callable[[list[Manifest]], Iterator[str]]
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
LOOKS_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|URL")
READ_ONLY_KINDS = {"configMap", "projected"}


def fits(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected."""
    return selector.items() <= labels.items()


def labels_of(workload: Manifest) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def never_root(manifests: list[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        context = pod_of(workload).get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 1) == 0:
            yield f"{named(workload)} may run as root"
    for owner, container in containers(manifests):
        if container["securityContext"].keys() & {"runAsUser", "runAsNonRoot", "runAsGroup"}:
            yield f"{owner} has a container with a user of its own"


def root_is_read_only(manifests: list[Manifest]) -> Iterator[str]:
    for owner, container in containers(manifests):
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield f"{owner} can write to its root file system"


def no_more_rights(manifests: list[Manifest]) -> Iterator[str]:
    for owner, container in containers(manifests):
        context = container["securityContext"]
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{owner} may gain rights"


def no_capabilities(manifests: list[Manifest]) -> Iterator[str]:
    for owner, container in containers(manifests):
        if container["securityContext"].get("capabilities") != {"drop": ["ALL"]}:
            yield f"{owner} keeps capabilities"


def system_calls_are_filtered(manifests: list[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        if pod_of(workload).get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{named(workload)} has no seccomp profile"


def no_access_to_the_cluster(manifests: list[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        if pod_of(workload).get("automountServiceAccountToken") is not False:
            yield f"{named(workload)} holds a token of the cluster"
        if pod_of(workload).get("enableServiceLinks") is not False:
            yield f"{named(workload)} is told of every service"
    for manifest in of_kind(manifests, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield f"{named(manifest)} gives rights in the cluster"


def nothing_of_the_node(manifests: list[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        pod = pod_of(workload)
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(key):
                yield f"{named(workload)} shares {key} with the node"
        for volume in pod["volumes"]:
            kind = next(key for key in volume if key != "name")
            read_only = kind in READ_ONLY_KINDS or volume[kind].get("readOnly")
            if kind not in READ_ONLY_KINDS | {"emptyDir", "persistentVolumeClaim"}:
                yield f"{named(workload)} mounts a {kind}"
            if kind != "emptyDir" and not read_only:
                yield f"{named(workload)} can write to {volume['name']}"
    for owner, container in containers(manifests):
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{owner} takes a port of the node"


def resources_are_bounded(manifests: list[Manifest]) -> Iterator[str]:
    for owner, container in containers(manifests):
        resources = container.get("resources", {})
        if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
            yield f"{owner} has no requests, or no limit of memory"
    for workload in workloads(manifests):
        for volume in pod_of(workload)["volumes"]:
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                yield f"{named(workload)} may fill the disk of the node through {volume['name']}"


def secrets_by_reference(manifests: list[Manifest]) -> Iterator[str]:
    for manifest in of_kind(manifests, "Secret"):
        yield f"{named(manifest)} holds secrets"
    for owner, container in containers(manifests):
        for entry in container.get("env", []):
            if "valueFrom" in entry:
                yield f"{owner} has {entry['name']} in the environment of every process"
            elif LOOKS_SECRET.search(entry["name"]) and not entry["name"].endswith("_FILE"):
                yield f"{owner} is given {entry['name']} as text"
    for manifest in of_kind(manifests, "ConfigMap"):
        for key, text in manifest["data"].items():
            if re.search(r'(?im)^\s*\w*(token|key|secret|password)s?\s*=\s*["\[]', text):
                yield f"{named(manifest)} has a secret in {key}"


def secrets_have_files(manifests: list[Manifest]) -> Iterator[str]:
    """Every `…_FILE` is a file that the volume brings, and the migration gets one alone."""
    for workload in workloads(manifests):
        volumes = {volume["name"]: volume for volume in pod_of(workload)["volumes"]}
        there = {
            item["path"] for source in volumes["secrets"]["projected"]["sources"] for item in source["secret"]["items"]
        }
        wanted = {
            value.removeprefix("/run/citebot/secrets/")
            for container in pod_of(workload)["containers"]
            for name, value in environment(container).items()
            if name.endswith("_FILE")
        }
        if wanted != there:
            yield f"{named(workload)} wants {sorted(wanted)} and has {sorted(there)}"
        if workload["kind"] == "Job" and there != {"CITEBOT_DATABASE__URL"}:
            yield f"{named(workload)} is given more than the database"


def mounts_are_there(manifests: list[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        volumes = {volume["name"] for volume in pod_of(workload)["volumes"]}
        for container in pod_of(workload)["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            if mounted != volumes:
                yield f"{named(workload)} mounts {sorted(mounted)} of {sorted(volumes)}"
            places = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            if not {"/tmp", "/var/lib/citebot"} <= places.keys():
                yield f"{named(workload)} has no place to write to"


def health_is_asked(manifests: list[Manifest]) -> Iterator[str]:
    paths = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    for workload in of_kind(manifests, "Deployment"):
        for container in pod_of(workload)["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for probe, path in paths.items():
                asked = container.get(probe, {}).get("httpGet", {})
                if asked.get("path") != path or asked.get("port") not in ports:
                    yield f"{named(workload)} is not asked {path} by its {probe}"


def some_always_run(manifests: list[Manifest]) -> Iterator[str]:
    budgets = [budget["spec"] for budget in of_kind(manifests, "PodDisruptionBudget")]
    for workload in of_kind(manifests, "Deployment"):
        kept = [budget for budget in budgets if fits(budget["selector"]["matchLabels"], labels_of(workload))]
        if [budget.get("maxUnavailable") for budget in kept] != [1]:
            yield f"{named(workload)} has not one PodDisruptionBudget that lets go of one pod at a time"
        if workload["spec"]["strategy"]["rollingUpdate"] != {"maxSurge": 1, "maxUnavailable": 0}:
            yield f"{named(workload)} loses pods in an update"
        if pod_of(workload)["terminationGracePeriodSeconds"] < 35:
            yield f"{named(workload)} has no time to end"


def every_pod_has_a_network_policy(manifests: list[Manifest]) -> Iterator[str]:
    policies = [policy["spec"] for policy in of_kind(manifests, "NetworkPolicy")]
    for workload in workloads(manifests):
        mine = [policy for policy in policies if fits(policy["podSelector"]["matchLabels"], labels_of(workload))]
        if not any({"Ingress", "Egress"} <= set(policy["policyTypes"]) for policy in mine):
            yield f"{named(workload)} is held by no NetworkPolicy"


def the_way_out_is_listed(manifests: list[Manifest]) -> Iterator[str]:
    for policy in of_kind(manifests, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to") or not rule.get("ports"):
                yield f"{named(policy)} lets out to everywhere"
            for block in [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]:
                yield from (f"{named(policy)} opens {line}" for line in _private_networks_of(block))


def _private_networks_of(block: Mapping[str, Any]) -> Iterator[str]:
    """The private networks that a block of the whole internet would take along."""
    network = ipaddress.ip_network(block["cidr"])
    if network.prefixlen:
        return
    for private in map(ipaddress.ip_network, PRIVATE):
        if private.version == network.version and str(private) not in block.get("except", []):
            yield str(private)


def images_are_named(manifests: list[Manifest]) -> Iterator[str]:
    for owner, container in containers(manifests):
        if not re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)$", container["image"]):
            yield f"{owner} runs any image: {container['image']}"


def everything_is_labelled(manifests: list[Manifest]) -> Iterator[str]:
    wanted = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart"}
    for manifest in manifests:
        if not wanted <= manifest["metadata"]["labels"].keys():
            yield f"{named(manifest)} lacks a label"
        if len(manifest["metadata"]["name"]) > 63:
            yield f"{named(manifest)} has too long a name"
    for workload in of_kind(manifests, "Deployment"):
        if not fits(workload["spec"]["selector"]["matchLabels"], labels_of(workload)):
            yield f"{named(workload)} does not know its own pods"


def what_is_named_exists(manifests: list[Manifest]) -> Iterator[str]:
    """Services find pods with their port and none without; what stands before them finds Services and Deployments."""
    services = {manifest["metadata"]["name"]: manifest for manifest in of_kind(manifests, "Service")}
    for service in services.values():
        found = [one for one in workloads(manifests) if fits(service["spec"]["selector"], labels_of(one))]
        (port,) = service["spec"]["ports"]
        names = [{each["name"] for each in pod_of(one)["containers"][0].get("ports", [])} for one in found]
        if not found or not all(port["targetPort"] in each for each in names):
            yield f"{named(service)} leads nowhere"
    for ingress in of_kind(manifests, "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            if path["backend"]["service"]["name"] not in services:
                yield f"{named(ingress)} leads nowhere"
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        (scaled,) = [one for one in of_kind(manifests, "Deployment") if one["metadata"]["name"] == target]
        if "replicas" in scaled["spec"]:
            yield f"{named(scaled)} would be set back by every upgrade"
    for monitor in of_kind(manifests, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        if sum(fits(selector, service["metadata"]["labels"]) for service in services.values()) != 1:
            yield f"{named(monitor)} finds not one Service"


def migrates_first(manifests: list[Manifest]) -> Iterator[str]:
    for job in of_kind(manifests, "Job"):
        annotations = job["metadata"].get("annotations", {})
        if annotations.get("helm.sh/hook") != "pre-install,pre-upgrade":
            yield f"{named(job)} does not run before the release"
        if pod_of(job)["containers"][0]["command"] != ["citebot", "db", "upgrade"]:
            yield f"{named(job)} does something else"


POLICIES: tuple[Policy, ...] = (
    never_root,
    root_is_read_only,
    no_more_rights,
    no_capabilities,
    system_calls_are_filtered,
    no_access_to_the_cluster,
    nothing_of_the_node,
    resources_are_bounded,
    secrets_by_reference,
    secrets_have_files,
    mounts_are_there,
    health_is_asked,
    some_always_run,
    every_pod_has_a_network_policy,
    the_way_out_is_listed,
    images_are_named,
    everything_is_labelled,
    what_is_named_exists,
    migrates_first,
)
