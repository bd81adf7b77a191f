"""Domain-prefixed paths, such as acme.io/foo: a subdomain, and a path of what may be in a URL."""

import re
from collections.abc import Iterable

from kybern.kube.field import FieldError, invalid
from kybern.kube.validation.names import dns1123_subdomain, regex_error

_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def domain_prefixed_path(path: str, value: str) -> Iterable[FieldError]:
    """What is wrong with `value`, which is not empty, at `path`."""
    domain, _, rest = value.partition("/")
    if not domain or not rest:
        yield invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    for problem in dns1123_subdomain(domain):
        yield invalid(path, domain, problem)
    if not _PATH.fullmatch(rest):
        yield invalid(path, rest, regex_error("Invalid path", _PATH.pattern))
