"""Encoded objects: slices say the same as decoding would."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.core import encoding

HEAD = encoding.head("Pod", "v1")
metadata = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(0, 9), max_size=3)
objects = st.fixed_dictionaries({"metadata": metadata, "spec": st.dictionaries(st.text(max_size=4), st.text())})


@given(objects, st.integers(1, 2**62))
def test_splice_is_setting_the_resource_version(obj: dict, revision: int) -> None:
    whole = {"spec": obj["spec"], "apiVersion": "v1", "kind": "Pod", "metadata": obj["metadata"]}
    data = encoding.splice(encoding.encode(whole), HEAD, revision)
    assert data.startswith(HEAD)
    shown = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    assert orjson.loads(data) == {**whole, "metadata": {**shown, "resourceVersion": str(revision)}}
    assert encoding.splice(encoding.encode(whole), HEAD, 7) == encoding.respliced(data, HEAD, 7)
    assert orjson.loads(encoding.item(data, HEAD)) == {"metadata": orjson.loads(data)["metadata"], "spec": obj["spec"]}


@pytest.mark.parametrize(
    "stored",
    [
        b'{"metadata":{"name":"a"},"kind":"Pod","apiVersion":"v1"}',
        b'{ "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"} }',
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","resourceVersion":"1"}}',
    ],
)
def test_what_another_writer_stored_is_laid_out_again(stored: bytes) -> None:
    data = encoding.splice(stored, HEAD, 5)
    assert data == b'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"5","name":"a"}}'


def test_bookmarks() -> None:
    assert orjson.loads(encoding.bookmark(HEAD, {}, 9, True)) == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "resourceVersion": "9",
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }
    assert orjson.loads(encoding.bookmark(HEAD, {"data": None}, 9))["data"] is None
