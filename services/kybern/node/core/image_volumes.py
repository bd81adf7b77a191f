"""Images as volumes: pulled like those of containers, mounted by the runtime, never to be written to. Pure."""

from collections.abc import Iterable, Mapping

from kybern.kube.meta import Object
from kybern.node.core.container_config import ImageFacts, Mount
from kybern.node.core.environment import expand
from kybern.protos.runtime.v1 import api_pb2 as cri

MOUNT_FAILED = "ImageVolumeMountFailed"  # how CRI says that an image could not be mounted


def sources(pod: Object) -> dict[str, Object]:
    """The pod's image volumes by name."""
    return {one["name"]: one["image"] for one in pod["spec"].get("volumes") or () if one.get("image") is not None}


def mounted(pod: Object, container: Object) -> dict[str, Object]:
    """The image volumes that a container mounts, in the order of its mounts."""
    known = sources(pod)
    return {m["name"]: known[m["name"]] for m in container.get("volumeMounts") or () if m["name"] in known}


def pulled_as(source: Object) -> Object:
    """The volume's image as the image of a container without a name, for what pulls those."""
    policy = source.get("pullPolicy")
    return {"name": "", "image": source.get("reference") or ""} | ({"imagePullPolicy": policy} if policy else {})


def mounts(pod: Object, container: Object, env: Mapping[str, str]) -> list[Mount]:
    """The container's mounts of image volumes."""
    known, found = sources(pod), []
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in known:
            sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
            propagation = mount.get("mountPropagation") or ""
            found.append(Mount(mount["mountPath"], "", True, propagation, mount["name"], sub))
    return found


def image_spec(pod: Object, source: Object, image: ImageFacts, handler: str) -> cri.ImageSpec:
    """What the runtime is asked to mount."""
    return cri.ImageSpec(
        image=image.ref,
        user_specified_image=source.get("reference") or "",
        runtime_handler=handler,
        annotations=pod["metadata"].get("annotations") or {},
    )


def images_of(statuses: Iterable[cri.ContainerStatus]) -> frozenset[str]:
    """The images that containers have mounted."""
    return frozenset(mount.image.image for one in statuses for mount in one.mounts if mount.image.image)
