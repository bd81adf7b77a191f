"""Named formats: `format.dns1123Label().validate(name)` is none, or the errors."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.library.times import timestamp
from kybern.kube.cel.library.url import why_no_url
from kybern.kube.cel.overloads import Overload, member, part, plain
from kybern.kube.cel.values import NONE, Opaque, Optional, some
from kybern.kube.validation.names import (
    dns1035_label,
    dns1123_label,
    dns1123_subdomain,
    label_value,
    qualified_name,
)

NAME = "kubernetes.NamedFormat"
Check = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Format(Opaque):
    """A format by its name."""

    type_name: ClassVar[str] = NAME
    name: str


def _prefix(check: Check) -> Check:
    """A prefix may end in a dash: something will follow."""
    return lambda text: check(text[:-2] + "a" if text.endswith("-") and len(text) > 1 else text)


def _uri(text: str) -> list[str]:
    problem = why_no_url(text)
    return [f'parse "{text}": {problem}'] if problem else []


def _uuid(text: str) -> list[str]:
    plain_text = text.replace("-", "")
    if len(plain_text) == 32 and all(character in "0123456789abcdefABCDEF" for character in plain_text):
        return []
    return ["does not match the UUID format"]


def _byte(text: str) -> list[str]:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ["invalid base64"]
    return []


def _date(text: str) -> list[str]:
    try:
        if len(text) == 10:
            date.fromisoformat(text)
            return []
    except ValueError:
        pass
    return ["invalid date"]


def _moment(text: str) -> list[str]:
    try:
        timestamp(text)
    except EvaluationError:
        return ["invalid datetime"]
    return []


FORMATS: dict[str, Check] = {
    "dns1123Label": dns1123_label,
    "dns1123Subdomain": dns1123_subdomain,
    "dns1035Label": dns1035_label,
    "dns1123LabelPrefix": _prefix(dns1123_label),
    "dns1123SubdomainPrefix": _prefix(dns1123_subdomain),
    "dns1035LabelPrefix": _prefix(dns1035_label),
    "qualifiedName": qualified_name,
    "labelValue": label_value,
    "uri": _uri,
    "uuid": _uuid,
    "byte": _byte,
    "date": _date,
    "datetime": _moment,
}


def _validate(found: Format, text: str) -> Optional:
    errors = FORMATS[found.name](text)
    return some(errors) if errors else NONE


def _named(name: str) -> Optional:
    return some(Format(name)) if name in FORMATS else NONE


def _maker(name: str) -> Callable[[], Format]:
    return lambda: Format(name)


OVERLOADS: list[Overload] = [
    plain("format.named", f"string -> optional_type<{NAME}>", _named),
    *[plain(f"format.{name}", f"-> {NAME}", _maker(name)) for name in FORMATS],
    member(
        "validate", f"{NAME}, string -> optional_type<list<string>>", _validate, lambda _, text: part(len(text))
    ),
]  # fmt: skip
