"""PersistentVolumeClaims that were stored before their newer members were there."""

from typing import Any

import pytest

from kybern.apiserver.registry.strategies.volumes import CLAIMS

SOURCE = {"kind": "PersistentVolumeClaim", "name": "foo"}


@pytest.mark.parametrize(
    ("stored", "judged"),
    [
        ({"dataSource": SOURCE}, {"dataSource": SOURCE, "dataSourceRef": SOURCE, "volumeMode": "Filesystem"}),
        ({"volumeMode": "Block"}, {"volumeMode": "Block"}),
        ({"accessModes": []}, {"accessModes": [], "volumeMode": "Filesystem"}),
    ],
)
def test_a_claim_of_old_is_judged_by_what_it_would_be_given(stored: dict[str, Any], judged: dict[str, Any]) -> None:
    new, old = {"spec": dict(stored)}, {"spec": dict(stored)}
    request: Any = None
    for step in CLAIMS.prepare_update:
        step(request, new, old)
    assert old["spec"] == judged
