"""What a strategic merge patch says of values that do not fit."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.schema.restore_errors import restore_error

MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        ("x", "map[string]string", "cannot restore map from string"),
        (["x"], "map[string]string", "cannot restore map from slice"),
        ({}, "[]v1.Container", "cannot restore slice from map"),
        (7, "v1.PodSpec", "cannot restore struct from: int64"),
        (True, "int32", "unrecognized type: int32"),
        (7, "string", "cannot convert int64 to string"),
        (7.5, "int32", "cannot convert float64 to int32"),
        ("7", "int32", "unrecognized type: int32"),
    ],
)
def test_restore_error(value: Any, wanted: str, message: str) -> None:
    assert restore_error(value, wanted) == message


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        ({"metadata": {"labels": "invalid"}}, "cannot restore map from string"),
        ({"spec": {"containers": {"name": "c"}}}, "cannot restore slice from map"),
        ({"spec": "x"}, "cannot restore struct from: string"),
        ({"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}}, MALFORMED),
    ],
)
def test_decoding_knows_both_wordings(pod: dict[str, Any], message: str) -> None:
    with pytest.raises(schema.DecodeError) as raised:
        schema.prune(schema.definition(("", "v1", "Pod")) or {}, pod)
    assert raised.value.restoring == message
