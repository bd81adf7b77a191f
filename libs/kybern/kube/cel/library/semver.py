"""Semantic versions: `semver('1.2.3')`, compared as version 2.0.0 of the specification says."""

import re
from dataclasses import dataclass
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import Opaque

NAME = "kubernetes.Semver"
_VERSION = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_WORD = re.compile("[0-9A-Za-z-]+")
_LARGEST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Semver(Opaque):
    """A version; two that differ in their build alone are the same."""

    type_name: ClassVar[str] = NAME
    numbers: tuple[int, int, int]
    pre: tuple[str, ...]

    def order(self) -> tuple[object, ...]:
        """Sorts as versions do: a pre-release before its release, numbers before words."""
        words = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in self.pre)
        return (self.numbers, not self.pre, words)


def semver(text: str, normalize: bool = False) -> Semver:
    """Raises EvaluationError. Normalized: a leading v, missing numbers and leading zeros are forgiven."""
    given = _normalized(text) if normalize else text
    match = _VERSION.fullmatch(given)
    if match is None or len(given) > 256 or any(int(match[at]) > _LARGEST for at in (1, 2, 3)):
        raise EvaluationError(_why(given))
    numbers = (int(match[1]), int(match[2]), int(match[3]))
    return Semver(numbers, tuple(match[4].split(".")) if match[4] else ())


def _why(text: str) -> str:
    """What is the first thing wrong with a version."""
    if not text:
        return "Version string empty"
    if text.count(".") < 2:
        return "No Major.Minor.Patch elements found"
    major, minor, rest = text.split(".", 2)
    cut = re.split(r"[-+]", rest, maxsplit=1)[0]
    for name, number in (("Major", major), ("Minor", minor), ("Patch", cut)):
        if not number or number.strip("0123456789"):
            return f'Invalid character(s) found in {name.lower()} number "{number}"'
        if len(number) > 1 and number[0] == "0":
            return f'{name} number must not contain leading zeroes "{number}"'
        if int(number) > _LARGEST:
            return f'strconv.ParseUint: parsing "{number}": value out of range'
    before, plus, build = rest.partition("+")
    pre = before[len(cut) :].removeprefix("-").split(".") if "-" in before else []
    for word in pre:
        if not word:
            return "Prerelease is empty"
        if _WORD.fullmatch(word) is None:
            return f'Invalid character(s) found in prerelease "{word}"'
        if word.isdigit():
            return f'Numeric PreRelease version must not contain leading zeroes "{word}"'
    wrong = next((one for one in build.split(".") if not _WORD.fullmatch(one)), "") if plus else ""
    return f'Invalid character(s) found in build meta data "{wrong}"' if wrong else "Build meta data is empty"


def _normalized(text: str) -> str:
    text = text.removeprefix("v")
    core = re.split(r"[-+]", text, maxsplit=1)[0]
    parts = [part.lstrip("0") or "0" if part else part for part in core.split(".")]
    parts += ["0"] * (3 - len(parts))
    return ".".join(parts) + text[len(core) :]


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        semver(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(one: Semver, other: Semver) -> int:
    mine, its = one.order(), other.order()
    return (mine > its) - (mine < its)


OVERLOADS: list[Overload] = [
    plain("semver", f"string -> {NAME}", semver, walks),
    plain("semver", f"string, bool -> {NAME}", semver, walks),
    plain("isSemver", "string -> bool", _is_semver, walks),
    plain("isSemver", "string, bool -> bool", _is_semver, walks),
    member("major", f"{NAME} -> int", lambda version: version.numbers[0]),
    member("minor", f"{NAME} -> int", lambda version: version.numbers[1]),
    member("patch", f"{NAME} -> int", lambda version: version.numbers[2]),
    member("isGreaterThan", f"{NAME}, {NAME} -> bool", lambda one, other: _compare(one, other) > 0),
    member("isLessThan", f"{NAME}, {NAME} -> bool", lambda one, other: _compare(one, other) < 0),
    member("compareTo", f"{NAME}, {NAME} -> int", _compare),
]
