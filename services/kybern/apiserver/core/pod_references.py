"""What a pod refers to in its namespace, and a volume for its claim: the objects that a node agent has to read."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Reference = tuple[str, str, str]  # resource, namespace, name

SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS = "secrets", "configmaps", "serviceaccounts"
CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
VOLUME_ATTACHMENTS, SLICES, RESOURCE_CLAIMS = "volumeattachments", "resourceslices", "resourceclaims"
MIRROR = "kubernetes.io/config.mirror"
WITH_SECRET_REF = ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")
CSI_SECRETS = ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef")  # the rest is for controllers


def pod_references(pod: Object) -> frozenset[Reference]:
    """Secrets, config maps, claims and the service account that the pod uses; what shows a static pod uses none."""
    metadata = pod["metadata"]
    if MIRROR in (metadata.get("annotations") or {}):
        return frozenset()
    return all_references(pod)


def all_references(pod: Object) -> frozenset[Reference]:
    """What is named in the pod, whatever pod it is."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    namespace = metadata.get("namespace") or ""
    found = {*_of_spec(metadata.get("name") or "", spec), *_claimed(spec, pod.get("status") or {})}
    return frozenset((resource, namespace, name) for resource, name in found if name)


def volume_secrets(volume: Object) -> frozenset[Reference]:
    """The secrets that a node needs to mount a volume; where none is given, they lie in the claim's namespace."""
    spec = volume.get("spec") or {}
    namespace = (spec.get("claimRef") or {}).get("namespace") or ""
    if not namespace:
        return frozenset()
    found = [(spec.get(source) or {}).get("secretRef") or {} for source in WITH_SECRET_REF]
    found += [(spec.get("csi") or {}).get(member) or {} for member in CSI_SECRETS]
    azure = spec.get("azureFile") or {}
    found.append({"name": azure.get("secretName"), "namespace": azure.get("secretNamespace")})
    return frozenset((SECRETS, ref.get("namespace") or namespace, ref["name"]) for ref in found if ref.get("name"))


def _of_spec(pod: str, spec: Object) -> Iterator[tuple[str, str]]:
    yield SERVICE_ACCOUNTS, spec.get("serviceAccountName") or ""
    for secret in spec.get("imagePullSecrets") or ():
        yield SECRETS, secret.get("name") or ""
    for group in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(group) or ():
            yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(pod, volume)


def _of_container(container: Object) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield CONFIG_MAPS, (source.get("configMapRef") or {}).get("name") or ""
        yield SECRETS, (source.get("secretRef") or {}).get("name") or ""
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield CONFIG_MAPS, (source.get("configMapKeyRef") or {}).get("name") or ""
        yield SECRETS, (source.get("secretKeyRef") or {}).get("name") or ""


def _of_volume(pod: str, volume: Object) -> Iterator[tuple[str, str]]:
    yield SECRETS, (volume.get("secret") or {}).get("secretName") or ""
    yield SECRETS, (volume.get("azureFile") or {}).get("secretName") or ""
    yield CONFIG_MAPS, (volume.get("configMap") or {}).get("name") or ""
    yield CLAIMS, (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
    yield SECRETS, ((volume.get("csi") or {}).get("nodePublishSecretRef") or {}).get("name") or ""
    for source in WITH_SECRET_REF:
        yield SECRETS, ((volume.get(source) or {}).get("secretRef") or {}).get("name") or ""
    if volume.get("ephemeral"):
        yield CLAIMS, f"{pod}-{volume.get('name', '')}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield SECRETS, (source.get("secret") or {}).get("name") or ""
        yield CONFIG_MAPS, (source.get("configMap") or {}).get("name") or ""


def _claimed(spec: Object, status: Object) -> Iterator[tuple[str, str]]:
    """Resource claims by name, and those that were made for the pod from a template."""
    for claim in spec.get("resourceClaims") or ():
        yield RESOURCE_CLAIMS, claim.get("resourceClaimName") or ""
    for made in status.get("resourceClaimStatuses") or ():
        yield RESOURCE_CLAIMS, made.get("resourceClaimName") or ""
    yield RESOURCE_CLAIMS, (status.get("extendedResourceClaimStatus") or {}).get("resourceClaimName") or ""
