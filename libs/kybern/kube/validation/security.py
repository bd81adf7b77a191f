"""Security settings of containers and pods: users, privileges, seccomp and AppArmor profiles."""

from kybern.kube.field import Struct, invalid, not_supported, required, too_long
from kybern.kube.validation.fields import Errors, Object, child, chosen, in_range
from kybern.kube.validation.paths import relative_path

MAX_ID = 2**31 - 1
MAX_PROFILE = 4095
_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")


def validate_security_context(context: Object, path: str, *, host_users: bool = True) -> Errors:
    """The user, group and privileges of one container."""
    for name in ("runAsUser", "runAsGroup"):
        yield from in_range(context, name, path, 0, MAX_ID)
    yield from chosen(context, "procMount", path, ("Default", "Unmasked"))
    if context.get("procMount") == "Unmasked" and host_users:
        detail = "`hostUsers` must be false to use `Unmasked`"
        yield invalid(f"{path}.procMount", "Unmasked", detail)
    yield from validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid(path, context, detail)
        if "CAP_SYS_ADMIN" in child(context, "capabilities").get("add", ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, context, detail)
    yield from validate_app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def validate_seccomp(profile: Object | None, path: str) -> Errors:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        yield required(f"{path}.type", "type is required when seccompProfile is set")
    elif kind not in _PROFILE_TYPES:
        yield not_supported(f"{path}.type", kind, _PROFILE_TYPES)
    if kind == "Localhost":
        if local is None:
            yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
        else:
            yield from relative_path(local, f"{path}.localhostProfile")
    elif local is not None:
        shown = Struct(Type=kind, LocalhostProfile=local)
        yield invalid(f"{path}.localhostProfile", shown, "can only be set when seccomp type is Localhost")


def validate_app_armor(profile: Object | None, path: str) -> Errors:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if kind == "Localhost":
        if not (local or "").strip():
            yield required(at, "must be set when AppArmor type is Localhost")
        else:
            if local != (local or "").strip():
                yield invalid(at, local, "must not be padded with whitespace")
            if len((local or "").encode()) > MAX_PROFILE:
                yield too_long(at, MAX_PROFILE)
    elif kind in _PROFILE_TYPES:
        if local is not None:
            yield invalid(at, local, "can only be set when AppArmor type is Localhost")
    elif not kind:
        yield required(f"{path}.type", "type is required when appArmorProfile is set")
    else:
        yield not_supported(f"{path}.type", kind, _PROFILE_TYPES)
