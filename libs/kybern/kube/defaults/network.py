"""Defaults of Service, endpoints, Ingress classes and NetworkPolicy."""

from kybern.kube.defaults.rules import Object, Rules, child, rule

_CORE = "io.k8s.api.core.v1."
_NETWORKING = "io.k8s.api.networking.v1."
_CLIENT_IP_SECONDS = 10800


def _service_affinity(spec: Object) -> None:
    if spec["sessionAffinity"] == "ClientIP":
        child(child(spec, "sessionAffinityConfig"), "clientIP").setdefault("timeoutSeconds", _CLIENT_IP_SECONDS)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)


def _service_traffic(spec: Object) -> None:
    kind = spec["type"]
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if outside and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in ("ClusterIP", "NodePort", "LoadBalancer"):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _target_port(port: Object) -> None:
    if port.get("targetPort") in (None, "", 0) and "port" in port:
        port["targetPort"] = port["port"]


def _policy_types(spec: Object) -> None:
    """A policy is about ingress; about egress too when it has egress rules."""
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _ip_modes(service: Object) -> None:
    """Addresses of a load balancer are virtual ones, unless it says something else."""
    if (service.get("spec") or {}).get("type") == "LoadBalancer":
        for point in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if point and point.get("ip"):
                point.setdefault("ipMode", "VIP")


RULES: Rules = {
    _CORE + "Service": rule(_ip_modes, status={"loadBalancer": {}}),
    _CORE + "ServiceSpec": rule(_service_affinity, _service_traffic, sessionAffinity="None", type="ClusterIP"),
    _CORE + "ServicePort": rule(_target_port, protocol="TCP"),
    _CORE + "EndpointPort": rule(protocol="TCP"),
    "io.k8s.api.discovery.v1.EndpointPort": rule(name="", protocol="TCP"),
    _NETWORKING + "Ingress": rule(status={"loadBalancer": {}}),
    _NETWORKING + "IngressClassParametersReference": rule(scope="Cluster"),
    _NETWORKING + "NetworkPolicySpec": rule(_policy_types, podSelector={}),
    _NETWORKING + "NetworkPolicyPort": rule(protocol="TCP"),
}
