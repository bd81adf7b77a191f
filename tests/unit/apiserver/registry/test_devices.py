"""What drivers say of devices stays as long as these are allocated."""

from typing import Any

import pytest

from kybern.apiserver.registry.strategies.devices import drop_deallocated

ONE, TWO = ({"driver": "d", "pool": "p", "device": name} for name in ("one", "two"))
SHARED = {**ONE, "shareID": "2f4e0b1c-0000-4000-8000-000000000000"}
TABLE: dict[str, tuple[list[Any], list[Any] | None, list[Any], list[Any] | None]] = {
    # devices of the old allocation and of the new one, what is said of devices, what is left of that
    "as before": ([ONE, TWO], [ONE, TWO], [ONE, TWO], [ONE, TWO]),
    "one goes": ([ONE, TWO], [TWO], [ONE, TWO], [TWO]),
    "all go": ([ONE], None, [ONE], None),
    "never allocated": ([ONE], [ONE], [TWO], [TWO]),
    "another share": ([SHARED], [ONE], [SHARED, ONE], [ONE]),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_said_of_devices(name: str) -> None:
    before, after, said, left = TABLE[name]
    old = {"status": {"allocation": {"devices": {"results": before}}}}
    new: dict[str, Any] = {"status": {"devices": said}}
    if after is not None:
        new["status"]["allocation"] = {"devices": {"results": after}}
    drop_deallocated(None, new, old)  # type: ignore[arg-type]  # nothing is asked of the request
    assert new["status"].get("devices") == left
