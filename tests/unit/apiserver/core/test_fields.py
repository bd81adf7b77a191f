"""Values of selectable fields."""

import pytest

from kybern.apiserver.core.fields import fields_reader

EVENTS = {
    "component of the source": ({"source": {"component": "kubelet"}, "reportingComponent": "other"}, "kubelet"),
    "reporting controller without source": ({"reportingComponent": "example.com/it"}, "example.com/it"),
    "neither": ({}, ""),
}


@pytest.mark.parametrize("case", EVENTS)
def test_source_of_an_event(case: str) -> None:
    event, source = EVENTS[case]
    assert fields_reader("", "events")(event)["source"] == source
