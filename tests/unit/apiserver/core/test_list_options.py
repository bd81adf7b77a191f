"""Which options of lists and watches go together."""

import pytest

from kybern.apiserver.core.list_options import check_list, check_watch
from kybern.kube.status import StatusError

MATCH = "resourceVersionMatch: "
NO_VERSION = f"{MATCH}Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
CONTINUED = f"{MATCH}Forbidden: resourceVersionMatch is forbidden when continue is provided"
ZERO = f'{MATCH}Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
LIST_KNOWS = f'{MATCH}Unsupported value: "x": supported values: "Exact", "NotOlderThan", ""'
NOT_FOR_LISTS = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
NEEDED = f"{MATCH}Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
ALONE = f"{MATCH}Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
WATCH_KNOWS = f'{MATCH}Unsupported value: "Exact": supported values: "NotOlderThan"'

LISTS = {
    "nothing": (("", "", "", None), []),
    "exact": (("5", "Exact", "", None), []),
    "not older than anything": (("0", "NotOlderThan", "", None), []),
    "no version": (("", "Exact", "", None), [NO_VERSION]),
    "no version, a page": (("", "Exact", "t", None), [NO_VERSION, CONTINUED]),
    "exactly nothing": (("0", "Exact", "t", None), [CONTINUED, ZERO]),
    "unknown": (("5", "x", "", None), [LIST_KNOWS]),
    "initial events": (("", "NotOlderThan", "", True), [NO_VERSION, NOT_FOR_LISTS]),
}
WATCHES = {
    "nothing": (("", "", None), []),
    "initial events": (("NotOlderThan", "", True), []),
    "none of them": (("NotOlderThan", "", False), []),
    "match without them": (("NotOlderThan", "", None), [ALONE]),
    "they without match": (("", "", False), [NEEDED]),
    "exact": (("Exact", "", True), [NEEDED, WATCH_KNOWS]),
    "a page": (("", "t", None), [CONTINUED]),
}


def wrong(check, arguments, wanted) -> list[str]:
    if not wanted:
        check(*arguments)
        return []
    with pytest.raises(StatusError) as caught:
        check(*arguments)
    assert caught.value.code == 422
    return [f"{cause['field']}: {cause['message']}" for cause in caught.value.details["causes"]]


@pytest.mark.parametrize(("arguments", "wanted"), LISTS.values(), ids=LISTS.keys())
def test_lists(arguments, wanted: list[str]) -> None:
    assert wrong(check_list, arguments, wanted) == wanted


@pytest.mark.parametrize(("arguments", "wanted"), WATCHES.values(), ids=WATCHES.keys())
def test_watches(arguments, wanted: list[str]) -> None:
    assert wrong(check_watch, arguments, wanted) == wanted
