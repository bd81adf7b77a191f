"""Security settings of a container: users, privileges, seccomp profiles."""

from kybern.kube.field import invalid, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    in_range,
    one_of,
)


def validate_security_context(context: Object, path: str) -> Errors:
    """The user, group and privileges of one container."""
    for name in ("runAsUser", "runAsGroup"):
        yield from in_range(context, name, path, 0, 2**32 - 1)
    yield from one_of(context, "procMount", path, ("Default", "Unmasked"))
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid(path, context, detail)
        if "SYS_ADMIN" in child(context, "capabilities").get("add", ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, context, detail)
    yield from validate_seccomp(child(context, "seccompProfile"), f"{path}.seccompProfile")


def validate_seccomp(profile: Object, path: str) -> Errors:
    if not profile:
        return
    kind = profile.get("type")
    if kind == "Localhost" and not profile.get("localhostProfile"):
        yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
    elif kind != "Localhost" and profile.get("localhostProfile"):
        yield invalid(
            f"{path}.localhostProfile", profile["localhostProfile"], "can only be set when seccomp type is Localhost"
        )
    yield from one_of(profile, "type", path, ("Localhost", "RuntimeDefault", "Unconfined"), must=True)
