"""A container's environment: services, envFrom and env in order, with `$(NAME)` replaced by what came before."""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping

from kybern.kube.meta import Object

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\)|.|$)")
MASTER_SERVICES = {("default", "kubernetes")}


class MissingReference(Exception):
    """A ConfigMap, Secret, or key of one is not there and not optional; shown as CreateContainerConfigError."""


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar sign, and a name without a value stays as written."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        name = match[2]
        return values[name] if name is not None and name in values else match[0]

    return _REFERENCE.sub(replace, text)


def service_variables(services: Iterable[Object], namespace: str, enable_links: bool) -> dict[str, str]:
    """Docker-style variables of the namespace's services with a cluster IP, and always of `kubernetes`.

    With enableServiceLinks false only the apiserver's are left.
    """
    found: dict[str, str] = {}
    for service in sorted(services, key=lambda s: str(s["metadata"]["name"])):
        where = (service["metadata"]["namespace"], service["metadata"]["name"])
        address = service["spec"].get("clusterIP") or ""
        if address in ("", "None") or not (service["spec"].get("ports") or []):
            continue
        if where in MASTER_SERVICES or (enable_links and where[0] == namespace):
            found.update(one_service(where[1], address, service["spec"]["ports"]))
    return found


def one_service(name: str, address: str, ports: list[Object]) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    found = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    host = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        protocol = (port.get("protocol") or "TCP").lower()
        url = f"{protocol}://{host}:{port['port']}"
        base = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        if index == 0:
            found[f"{prefix}_PORT"] = url
        found |= {base: url, f"{base}_PROTO": protocol, f"{base}_PORT": str(port["port"]), f"{base}_ADDR": address}
    return found


def env_from(
    container: Object, config_maps: Mapping[str, Object | None], secrets: Mapping[str, Object | None]
) -> dict[str, str]:
    """Variables of whole ConfigMaps and Secrets, with their prefixes. `secrets` hold decoded text in `data`."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, key, objects in (("configmap", "configMapRef", config_maps), ("secret", "secretRef", secrets)):
            if ref := source.get(key):
                obj = objects.get(ref["name"])
                if obj is None and not ref.get("optional"):
                    raise MissingReference(f'{kind} "{ref["name"]}" not found')
                prefix = source.get("prefix") or ""
                found |= {prefix + name: value for name, value in ((obj or {}).get("data") or {}).items()}
    return found


def keyed(kind: str, ref: Object, objects: Mapping[str, Object | None], namespace: str) -> str | None:
    """One key of a ConfigMap or Secret; None when it is optional and missing."""
    obj = objects.get(ref["name"])
    if obj is None:
        if ref.get("optional"):
            return None
        raise MissingReference(f'{kind} "{ref["name"]}" not found')
    value: str | None = (obj.get("data") or {}).get(ref["key"])
    if value is None and not ref.get("optional"):
        title = "ConfigMap" if kind == "configmap" else "Secret"
        raise MissingReference(f"couldn't find key {ref['key']} in {title} {namespace}/{ref['name']}")
    return value


def make_environment(
    container: Object,
    namespace: str,
    services: Mapping[str, str],
    config_maps: Mapping[str, Object | None],
    secrets: Mapping[str, Object | None],
    field: Callable[[str], str],
    resource: Callable[[Object], str],
) -> dict[str, str]:
    """Every variable of a container. `field` resolves a fieldRef's path, `resource` a resourceFieldRef.

    Raises MissingReference. Precedence, weakest first: services, envFrom, env.
    """
    found = env_from(container, config_maps, secrets)
    known = ChainMap(found, dict(services))
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        value: str | None
        if ref := source.get("configMapKeyRef"):
            value = keyed("configmap", ref, config_maps, namespace)
        elif ref := source.get("secretKeyRef"):
            value = keyed("secret", ref, secrets, namespace)
        elif ref := source.get("fieldRef"):
            value = field(ref["fieldPath"])
        elif ref := source.get("resourceFieldRef"):
            value = resource(ref)
        else:
            value = expand(variable.get("value") or "", known)
        if value is not None:
            found[variable["name"]] = value
    return dict(known)
