"""Options of lists, of deletions of collections and of watches, as Kubernetes reads them together."""

from typing import Any

import orjson
import pytest

PATH = "/api/v1/namespaces/default/configmaps"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Listed = tuple[list[str], bool, int | None]


async def ask(gateway: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    async with gateway.admin.request(method, path, headers=headers) as response:
        return response.status, orjson.loads(await response.read())


def listed(document: Any) -> Listed:
    """Names, whether the list goes on, and how many are left."""
    metadata = document["metadata"]
    names = [item["metadata"]["name"] for item in document["items"]]
    return names, bool(metadata.get("continue")), metadata.get("remainingItemCount")


@pytest.fixture
async def five(gateway: Any) -> Any:
    for number in range(5):
        body = {"metadata": {"name": f"a{number}", "labels": {"odd": str(number % 2)}}}
        async with gateway.admin.post(PATH, json=body) as response:
            assert response.status == 201
    return gateway


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=2", (["a0", "a1"], True, 3)),
        ("limit=5", (["a0", "a1", "a2", "a3", "a4"], False, None)),
        ("limit=2&labelSelector=odd%3D0", (["a0", "a2"], True, None)),
        ("limit=3&labelSelector=odd%3D0", (["a0", "a2", "a4"], False, None)),
        ("limit=2&labelSelector=odd%3D1", (["a1", "a3"], True, None)),
        ("limit=3&labelSelector=odd%3D1", (["a1", "a3"], False, None)),
        ("limit=1&fieldSelector=metadata.name%3Da1", (["a1"], False, None)),
        ("limit=1&fieldSelector=metadata.name!%3Da0", (["a1"], True, None)),
    ],
)
async def test_full_pages_go_on(five: Any, query: str, expected: Listed) -> None:
    """Now, and at a revision of the past, which the store is asked for."""
    _, document = await ask(five, f"{PATH}?{query}")
    assert listed(document) == expected
    revision = document["metadata"]["resourceVersion"]
    await ask(five, f"{PATH}/a4", "DELETE")
    past = f"{PATH}?{query}&resourceVersion={revision}&resourceVersionMatch=Exact"
    assert listed((await ask(five, past))[1]) == expected


async def test_one_object_is_not_asked_for_by_the_page(five: Any) -> None:
    assert listed((await ask(five, f"{PATH}?resourceVersion=1&limit=1"))[1])[0] == []
    named = f"{PATH}?resourceVersion=1&limit=1&fieldSelector=metadata.name%3Da1"
    assert listed((await ask(five, named))[1])[0] == ["a1"]
    assert listed((await ask(five, f"{named}&resourceVersionMatch=Exact"))[1])[0] == []


async def test_the_next_page_of_what_is_selected(five: Any) -> None:
    _, first = await ask(five, f"{PATH}?limit=2&labelSelector=odd%3D1")
    token = first["metadata"]["continue"]
    _, last = await ask(five, f"{PATH}?limit=2&labelSelector=odd%3D1&continue={token}")
    assert listed(last) == ([], False, None)


async def test_a_collection_is_deleted_by_the_page(five: Any) -> None:
    status, first = await ask(five, f"{PATH}?limit=2", "DELETE")
    assert (status, listed(first)) == (200, (["a0", "a1"], True, 3))
    token = first["metadata"]["continue"]
    status, refused = await ask(five, f"{PATH}?continue={token}&resourceVersion=5", "DELETE")
    assert (status, refused["message"]) == (400, "specifying resource version is not allowed when using continue")
    _, second = await ask(five, f"{PATH}?limit=2&continue={token}", "DELETE")
    assert listed(second) == (["a2", "a3"], True, 1)
    assert listed((await ask(five, PATH))[1])[0] == ["a4"]


async def test_nothing_in_other_forms(gateway: Any) -> None:
    assert (await ask(gateway, PATH, Accept=PARTIAL))[1]["items"] is None
    assert (await ask(gateway, PATH, Accept=TABLE))[1]["rows"] == []


async def test_rows_without_objects(five: Any) -> None:
    _, table = await ask(five, f"{PATH}?includeObject=None", Accept=TABLE)
    assert [row["object"] for row in table["rows"]] == [None] * 5
    status, refused = await ask(five, f"{PATH}?includeObject=x", Accept=TABLE)
    words = "includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty"
    assert (status, refused["message"]) == (400, f"Unable to convert to Table as requested: {words}")


async def test_the_limit_of_a_watch_is_read(gateway: Any) -> None:
    status, refused = await ask(gateway, f"{PATH}?watch=1&limit=x")
    assert (status, refused["message"]) == (400, 'strconv.ParseInt: parsing "x": invalid syntax')


@pytest.mark.parametrize("method", ["GET", "DELETE", "watch"])
async def test_selectors_are_read_first(gateway: Any, method: str) -> None:
    watch = "&watch=1" if method == "watch" else ""
    path = f"{PATH}?resourceVersionMatch=x&fieldSelector=x{watch}"
    status, refused = await ask(gateway, path, "GET" if watch else method)
    assert (status, refused["message"]) == (400, "invalid selector: 'x'; can't understand 'x'")


@pytest.mark.parametrize("accept", ["application/json", TABLE])
async def test_a_watch_refused_late_says_so(gateway: Any, monkeypatch: Any, accept: str) -> None:
    """A refusal is the answer, however long it takes; one that comes too late for that is an event."""
    path = f"{PATH}?watch=1&resourceVersionMatch=Exact"
    assert (await ask(gateway, path, Accept=accept))[0] == 422
    monkeypatch.setattr("kybern.gateway.handlers.watch.PATIENCE", 0.0)
    status, event = await ask(gateway, path, Accept=accept)
    assert (status, event["type"], event["object"]["code"]) == (200, "ERROR", 422)
