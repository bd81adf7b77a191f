"""--strict-transport-security-directives."""

import pytest

from kybern.gateway.service import transport_security
from kybern.runtime.main import ServiceFailure


@pytest.mark.parametrize(
    ("flag", "value"),
    [("max-age=3,includeSubDomains", b"max-age=3; includeSubDomains"), ("preload", b"preload"), ("", b"")],
)
def test_directives(flag: str, value: bytes) -> None:
    assert transport_security(flag) == (((b"Strict-Transport-Security", value),) if value else ())


def test_others_are_refused() -> None:
    with pytest.raises(ServiceFailure, match="allowed values: max-age=expireTime, includeSubDomains, preload"):
        transport_security("max-age=1,never")
