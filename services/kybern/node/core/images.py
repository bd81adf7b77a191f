"""Image names and pull policy."""

from kybern.kube.meta import Object


def normalize(image: str) -> str:
    """A full reference: `busybox` is docker.io/library/busybox:latest."""
    name, at, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    if ":" not in name.rpartition("/")[2] and not at:
        name += ":latest"
    return f"{name}{at}{digest}"


def pull_policy(container: Object) -> str:
    """Always, IfNotPresent or Never; the default depends on the tag."""
    if policy := container.get("imagePullPolicy"):
        return str(policy)
    image = container.get("image", "")
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "Always" if (not tag and "@" not in image) or tag == "latest" else "IfNotPresent"
