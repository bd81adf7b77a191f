"""Job and CronJob: completion counts, restart policy, schedules, and the spec that stays once pods exist."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kybern.kube.field import invalid, not_supported, required
from kybern.kube.selectors import from_label_selector
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    immutable,
    items,
    non_negative,
    one_of,
    same,
)
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.pod import validate_template

_ZONE_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}")
_MAX_CRON_NAME = 52


def validate_job(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        # The registry adds a generated selector and labels before an object is kept.
        if spec.get("manualSelector"):
            yield required("spec.selector")
        return
    problems = list(validate_selector(selector, "spec.selector"))
    yield from problems
    labels = child(child(child(spec, "template"), "metadata"), "labels")
    if not problems and not from_label_selector(selector).matches(labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _job_spec(spec: Object, path: str) -> Errors:
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
                 "backoffLimitPerIndex", "maxFailedIndexes"):  # fmt: skip
        yield from non_negative(spec, name, path)
    yield from one_of(spec, "completionMode", path, ("Indexed", "NonIndexed"))
    yield from one_of(spec, "podReplacementPolicy", path, ("Failed", "TerminatingOrFailed"))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    template = child(spec, "template")
    yield from validate_template(template, f"{path}.template")
    policy = child(template, "spec").get("restartPolicy") or ""
    if policy == "Always":
        detail = 'valid values: "OnFailure", "Never"'
        yield required(f"{path}.template.spec.restartPolicy", detail)
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(f"{path}.template.spec.restartPolicy", policy, ("Never", "OnFailure"))
    if spec.get("podFailurePolicy") and policy != "Never":
        yield invalid(
            f"{path}.template.spec.restartPolicy",
            policy,
            'only "Never" is supported when podFailurePolicy is specified',
        )


def validate_job_update(obj: Object, old: Object) -> Errors:
    spec, before = child(obj, "spec"), child(old, "spec")
    if spec.get("completionMode") != "Indexed":
        yield from immutable(spec.get("completions"), before.get("completions"), "spec.completions")
    elif spec.get("completions") not in (None, before.get("completions"), spec.get("parallelism")):
        yield invalid("spec.completions", spec["completions"], "can only be modified in tandem with spec.parallelism")
    for name in (
        "selector",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ):
        yield from immutable(spec.get(name), before.get(name), f"spec.{name}")
    new, was = child(spec, "template"), child(before, "template")
    if before.get("suspend") and _stands_still(child(old, "status")):
        if not same(_lasting(child(new, "spec")), _lasting(child(was, "spec"))):
            yield invalid("spec.template.spec", child(new, "spec"), IMMUTABLE)
    else:
        yield from immutable(new, was, "spec.template")


def _stands_still(status: Object) -> bool:
    suspended = any(one["type"] == "Suspended" and one["status"] == "True" for one in items(status, "conditions"))
    return suspended and not status.get("active")


def _lasting(spec: Object) -> Object:
    """What of a pod template may not change even while its Job is suspended: all but where it runs, and on how much."""
    affinity = {name: value for name, value in child(spec, "affinity").items() if name != "nodeAffinity"}
    kept = {name: value for name, value in spec.items()
            if name not in ("nodeSelector", "tolerations", "affinity", "schedulingGates")}  # fmt: skip
    for name in ("containers", "initContainers"):
        if name in spec:
            kept[name] = [{key: value for key, value in one.items() if key != "resources"} for one in spec[name]]
    return {**kept, "affinity": affinity} if affinity else kept


def _time_zone(zone: str | None, path: str) -> Errors:
    if zone is None:
        return
    if zone == "":
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
        return
    well_formed = all(_ZONE_PART.fullmatch(part) and part not in (".", "..") for part in zone.split("/"))
    if well_formed and zone.lower() == "local":
        yield invalid(
            path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    if not well_formed or not _is_time_zone(zone):
        yield invalid(path, zone, f"unknown time zone {zone}")


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return name in ("Local", "UTC")
    return True


def validate_cron_job(obj: Object) -> Errors:
    spec = child(obj, "spec")
    name = child(obj, "metadata").get("name") or ""
    if len(name) > _MAX_CRON_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_MAX_CRON_NAME} characters")
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield required("spec.schedule")
    elif problem := schedule_problem(schedule):
        yield invalid("spec.schedule", schedule, problem)
    elif "TZ" in schedule:
        yield invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    yield from _time_zone(spec.get("timeZone"), "spec.timeZone")
    for name in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from non_negative(spec, name, "spec")
    yield from one_of(spec, "concurrencyPolicy", "spec", ("Allow", "Forbid", "Replace"), must=True)
    job = child(child(spec, "jobTemplate"), "spec")
    yield from _job_spec(job, "spec.jobTemplate.spec")
    if job.get("manualSelector"):
        yield not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))


_NUMBER = re.compile(r"[0-9]{1,18}")
_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, tuple(_MONTHS)), (0, 6, tuple(_DAYS)),
)  # fmt: skip


def schedule_problem(schedule: str) -> str:
    """What is wrong with a cron schedule, empty when it can be read."""
    if schedule.startswith("@"):
        if schedule in _MACROS or re.fullmatch(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", schedule):
            return ""
        return f"unrecognized descriptor: {schedule}"
    fields = re.sub(r"^(CRON_)?TZ=\S+\s+", "", schedule).split()
    if len(fields) != 5:
        shown = " ".join(fields)
        return f"expected exactly 5 fields, found {len(fields)}: [{shown}]"
    for field, (low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            problem = _cron_range(part, low, high, names)
            if problem:
                return problem
    return ""


def _not_a_number(text: str) -> str:
    return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'


def _cron_range(part: str, low: int, high: int, names: tuple[str, ...]) -> str:
    span, slash, step = part.partition("/")
    if slash:
        if not _NUMBER.fullmatch(step):
            return _not_a_number(step)
        if int(step) == 0:
            return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = span.split("-")
    if len(ends) > 2:
        return f"too many hyphens: {part}"
    numbers = []
    for end in ends:
        if end.lower() in names:
            numbers.append(names.index(end.lower()) + low)
        elif _NUMBER.fullmatch(end):
            numbers.append(int(end))
        else:
            return _not_a_number(end)
    if numbers[0] < low:
        return f"beginning of range ({numbers[0]}) below minimum ({low}): {part}"
    if numbers[-1] > high:
        return f"end of range ({numbers[-1]}) above maximum ({high}): {part}"
    if numbers[0] > numbers[-1]:
        return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[-1]}): {part}"
    return ""
