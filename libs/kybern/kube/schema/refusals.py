"""Refusals of bodies that cannot be decoded, or not strictly."""

from collections.abc import Sequence

from kybern.kube.status import StatusError, bad_request


def decode_error(gvk: tuple[str, str, str], message: str) -> StatusError:
    """BadRequest for a body that cannot be read as its kind."""
    _, version, kind = gvk
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {message}')


def strict_problem(problems: Sequence[str]) -> str:
    """What fieldValidation=Strict says of problems; with Warn each of them is a warning instead."""
    return "strict decoding error: " + ", ".join(problems)


def strict_error(gvk: tuple[str, str, str], problems: Sequence[str]) -> StatusError:
    """BadRequest of fieldValidation=Strict."""
    return decode_error(gvk, strict_problem(problems))
