"""Messages whose JSON form is not an object of their fields: times, quantities, durations, embedded JSON.

Each has a function that reads a message and one that gives, for a JSON value, the fields of a message.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

META, RUNTIME = "k8s.io.apimachinery.pkg.apis.meta.v1", "k8s.io.apimachinery.pkg.runtime"
APIEXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
UNITS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000))
Fields = dict[str, Any]
Read = Callable[[Any], Any]
Write = Callable[[Any], Fields]


@lru_cache(maxsize=1024)
def moment(seconds: int) -> str:
    """RFC 3339 without a zone, in four-digit years."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def read_time(message: Any) -> str | None:
    """RFC 3339 in whole seconds; the zero time is null."""
    if not message.HasField("seconds"):
        return None
    return moment(message.seconds) + "Z"


def read_micro_time(message: Any) -> str | None:
    """RFC 3339 with microseconds."""
    if not message.HasField("seconds"):
        return None
    return f"{moment(message.seconds)}.{message.nanos // 1000:06d}Z"


@lru_cache(maxsize=4096)
def write_time(value: str) -> Fields:
    """Seconds and nanoseconds since the epoch. The moments of an object are few, and often those of its neighbours."""
    at = datetime.fromisoformat(value)
    return {"seconds": int(at.replace(microsecond=0).timestamp()), "nanos": at.microsecond * 1000}


def read_int_or_string(message: Any) -> int | str:
    """A number, or a string such as a port name or a percentage."""
    return str(message.f3) if message.f1 == 1 else int(message.f2)


def write_int_or_string(value: Any) -> Fields:
    return {"f1": 1, "f2": 0, "f3": value} if isinstance(value, str) else {"f1": 0, "f2": value, "f3": ""}


def read_quantity(message: Any) -> str:
    return str(message.f1)


def write_quantity(value: Any) -> Fields:
    return {"f1": str(value)}


def read_fields(message: Any) -> Any:
    """The set of managed fields, which is JSON in a message of its own; what is no JSON is no set."""
    try:
        return orjson.loads(message.Raw) if message.Raw else None
    except orjson.JSONDecodeError:
        return None


def write_fields(value: Any) -> Fields:
    return {"Raw": orjson.dumps(value)}


def read_json(message: Any) -> Any:
    """JSON inside protobuf."""
    return orjson.loads(message.f1) if message.f1 else None


def write_json(value: Any) -> Fields:
    return {"f1": orjson.dumps(value)}


def read_schema_value(message: Any) -> Any:
    """A value within a CRD's schema: a default, an example, a member of an enum."""
    return orjson.loads(message.raw) if message.raw else None


def write_schema_value(value: Any) -> Fields:
    return {"raw": orjson.dumps(value)}


def read_duration(message: Any) -> str:
    """As Go writes it: `1h30m0s`."""
    rest, text = abs(int(message.duration)), ""
    if rest == 0:
        return "0s"
    if rest < UNITS[2][1]:
        unit, size = next((u for u in UNITS[3:] if rest >= u[1]), ("ns", 1))
        text = f"{rest / size:g}{unit}"
    else:
        hours, rest = divmod(rest, UNITS[0][1])
        minutes, rest = divmod(rest, UNITS[1][1])
        text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        text += f"{rest / UNITS[2][1]:.9f}".rstrip("0").rstrip(".") + "s"
    return ("-" if message.duration < 0 else "") + text


def write_duration(value: str) -> Fields:
    """The reverse, for what `read_duration` writes."""
    sizes = {**dict(UNITS), "ns": 1, "us": 1000}
    total, number, unit = 0.0, "", ""
    for character in value.lstrip("-+") + "0":
        if (character.isdigit() or character == ".") and unit:
            total += float(number) * sizes[unit]
            number, unit = "", ""
        if character.isdigit() or character == ".":
            number += character
        else:
            unit += character
    return {"duration": round(-total if value.startswith("-") else total)}


def read_list(message: Any) -> list[str]:
    return list(message.items)


def write_list(value: Any) -> Fields:
    return {"items": value}


SPECIAL: dict[str, tuple[Read, Write]] = {
    f"{META}.Time": (read_time, write_time),
    f"{META}.MicroTime": (read_micro_time, write_time),
    f"{META}.Duration": (read_duration, write_duration),
    f"{META}.FieldsV1": (read_fields, write_fields),
    f"{META}.Verbs": (read_list, write_list),
    f"{RUNTIME}.RawExtension": (read_json, write_json),
    f"{APIEXTENSIONS}.JSON": (read_schema_value, write_schema_value),
    "k8s.io.apimachinery.pkg.api.resource.Quantity": (read_quantity, write_quantity),
    "k8s.io.apimachinery.pkg.api.resource.QuantityValue": (read_quantity, write_quantity),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": (read_int_or_string, write_int_or_string),
    "k8s.io.api.authentication.v1.ExtraValue": (read_list, write_list),
    "k8s.io.api.authorization.v1.ExtraValue": (read_list, write_list),
    "k8s.io.api.certificates.v1.ExtraValue": (read_list, write_list),
}
