"""What must be true of rendered manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace_runtime import probe

from . import compose, known

Manifest = Mapping[str, Any]
PORTS = {name: int(default.rpartition(":")[2]) for name, (_, default) in probe.LISTENING.items()} | {
    "gateway": 2200,
    "gateways": 7104,
}
PODS = {**{name: name for name in compose.SERVICES}, "gateways": "gateway"}
"""Whose pods a Service of this name is of: gateways find each other by one of their own."""


def problems(manifests: Sequence[Manifest]) -> list[str]:
    """Everything that is wrong, in words."""
    kinds: dict[str, dict[str, Manifest]] = {}
    for each in manifests:
        component = each["metadata"]["labels"]["app.kubernetes.io/component"]
        kinds.setdefault(each["kind"], {})[component] = each
    found = [
        f"There is no {kind} for each service, but for {sorted(kinds.get(kind, {}))}"
        for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy")
        if set(kinds.get(kind, {})) != (set(PODS) if kind == "Service" else set(compose.SERVICES))
    ]
    for name, deployment in kinds["Deployment"].items():
        found += [f"{name}: {problem}" for problem in _of_deployment(name, deployment, kinds)]
    for name, service in kinds["Service"].items():
        if (service["spec"].get("clusterIP") == "None") != (name != "gateway"):
            found.append(f"{name}: only the gateway has an address of its own, the others are headless")
    for name, scaler in kinds.get("HorizontalPodAutoscaler", {}).items():
        if scaler["spec"]["scaleTargetRef"]["name"] != kinds["Deployment"][name]["metadata"]["name"]:
            found.append(f"{name}: the autoscaler scales something else")
        if "replicas" in kinds["Deployment"][name]["spec"]:
            found.append(f"{name}: a fixed number of replicas undoes the autoscaler with every upgrade")
    return found


def _of_deployment(name: str, deployment: Manifest, kinds: Mapping[str, Mapping[str, Manifest]]) -> Iterator[str]:
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    if container["args"] != compose.service(name)["command"]:
        yield f"runs {container['args']}"
    names = [each["name"] for each in container["env"]]
    if unread := known.unread(name, names):
        yield f"is given {sorted(unread)}, which it does not read"
    if len(set(names)) != len(names):
        yield "is given a variable twice"
    yield from _unsafe(pod, container)
    yield from _unwatched(container)
    if pod["terminationGracePeriodSeconds"] < 35:
        yield "has no time to drain"
    if container["ports"][0]["containerPort"] != PORTS[name]:
        yield f"listens at {container['ports']}"
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = kinds[kind][name]["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        if not selector.get("matchLabels", selector).items() <= labels.items():
            yield f"is not what the {kind} of its name selects"
    services = {each["metadata"]["name"]: component for component, each in kinds["Service"].items()}
    for each in container["env"]:
        if each["name"].endswith("_ADDRESS"):
            host, _, port = each["value"].removeprefix("dns:///").rpartition(":")
            if host not in services or int(port) != PORTS[services[host]]:
                yield f"looks for {each['value']}"
            elif not _lets_in(kinds["NetworkPolicy"][PODS[services[host]]], labels):
                yield f"is kept out by the network policy of {services[host]}"
    mounted = {each["name"] for each in container["volumeMounts"]}
    if mounted != {each["name"] for each in pod["volumes"]}:
        yield "does not mount what it has"


def _unsafe(pod: Manifest, container: Manifest) -> Iterator[str]:
    security = container["securityContext"]
    if not pod["securityContext"]["runAsNonRoot"] or pod["securityContext"]["runAsUser"] == 0:
        yield "may be root"
    if pod["securityContext"]["seccompProfile"] != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    if not security["readOnlyRootFilesystem"] or security["allowPrivilegeEscalation"]:
        yield "may write its image or gain rights"
    if security["capabilities"] != {"drop": ["ALL"]}:
        yield "has capabilities"
    if pod["automountServiceAccountToken"]:
        yield "holds a token of the cluster"
    if not {"requests", "limits"} <= container["resources"].keys():
        yield "has no bounds"
    if not pod["topologySpreadConstraints"]:
        yield "may stand on one node"


def _unwatched(container: Manifest) -> Iterator[str]:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container.get(kind, {})
        if not {"grpc", "httpGet", "exec"} & asked.keys():
            yield f"has no {kind}"
    if "httpGet" in container["readinessProbe"]:
        if container["readinessProbe"]["httpGet"]["path"] != "/health/ready":
            yield "is ready by something else than what it says"
        if container["livenessProbe"]["httpGet"]["path"] != "/health/live":
            yield "is restarted because others are away"


def _lets_in(policy: Manifest, labels: Mapping[str, str]) -> bool:
    callers = [peer["podSelector"]["matchLabels"] for rule in policy["spec"]["ingress"] for peer in rule.get("from", ())
               if "podSelector" in peer]  # fmt: skip
    return any(each.items() <= labels.items() for each in callers)
