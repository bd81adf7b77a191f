"""ListOptions that go together: resourceVersionMatch, continue and sendInitialEvents of a list or a watch."""

from kybern.kube import field
from kybern.kube.field import FieldError
from kybern.kube.status import invalid

_MATCH, _INITIAL = "resourceVersionMatch", "sendInitialEvents"
EXACT, NOT_OLDER_THAN = "Exact", "NotOlderThan"


def check_list(version: str, match: str, continued: str, initial: bool | None) -> None:
    """Raises StatusError (422)."""
    if match or initial is not None:
        _refuse(_list_errors(version, match, continued, initial))


def check_watch(match: str, continued: str, initial: bool | None) -> None:
    """Raises StatusError (422)."""
    if match or continued or initial is not None:
        _refuse(_watch_errors(match, continued, initial))


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise invalid("meta.k8s.io", "ListOptions", "", errors)


def _list_errors(version: str, match: str, continued: str, initial: bool | None) -> list[FieldError]:
    errors = []
    if match and not version:
        errors.append(field.forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided"))
    if match and continued:
        errors.append(field.forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    if match not in ("", EXACT, NOT_OLDER_THAN):
        errors.append(field.not_supported(_MATCH, match, (EXACT, NOT_OLDER_THAN, ""), in_order=True))
    if match == EXACT and version == "0":
        errors.append(field.forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"'))
    if initial is not None:
        errors.append(field.forbidden(_INITIAL, f"{_INITIAL} is forbidden for list"))
    return errors


def _watch_errors(match: str, continued: str, initial: bool | None) -> list[FieldError]:
    errors = []
    if initial is not None and match != NOT_OLDER_THAN:
        errors.append(field.forbidden(_MATCH, f"{_INITIAL} requires setting {_MATCH} to {NOT_OLDER_THAN}"))
    if initial is None and match:
        errors.append(field.forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless {_INITIAL} is provided"))
    if match not in ("", NOT_OLDER_THAN):
        errors.append(field.not_supported(_MATCH, match, (NOT_OLDER_THAN,)))
    if continued:
        errors.append(field.forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    return errors
