"""Paths inside volumes and profiles: relative, and not climbing out of where they start."""

from kybern.kube.field import invalid
from kybern.kube.validation.fields import Errors


def no_backsteps(value: str, path: str) -> Errors:
    if ".." in value.split("/"):
        yield invalid(path, value, "must not contain '..'")


def relative_path(value: str, path: str) -> Errors:
    """Relative to where it is used, and staying there."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    yield from no_backsteps(value, path)


def file_name(value: str, path: str) -> Errors:
    """As `relative_path`, for a file that is written: not hidden behind the `..` of atomic writers either."""
    yield from relative_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        yield invalid(path, value, "must not start with '..'")
