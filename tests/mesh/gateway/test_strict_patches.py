"""fieldValidation of patches: what is named twice in the patch itself, and members that a JSON patch does not have."""

from typing import Any

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
TYPES = {"json": "application/json-patch+json", "merge": "application/merge-patch+json",
         "strategic": "application/strategic-merge-patch+json"}  # fmt: skip
CASES = [
    (
        "json",
        b'[{"op":"add","path":"/metadata/ownerReferences","value":[]},'
        b'{"op":"add","path":"/metadata/ownerReferences/0","value":'
        b'{"apiVersion":"v1","kind":"K","name":"n","uid":"u","uid":"u"}}]',
        ['json patch duplicate field "[1].value.uid"', 'duplicate field "metadata.ownerReferences[0].uid"'],
    ),
    ("merge", b'{"data":{"k":"a","k":"b"}}', ['duplicate field "data.k"']),
    ("strategic", b'{"data":{"k":"a"},"data":{},"nope":1}', ['duplicate field "data"', 'unknown field "nope"']),
    ("json", b'[{"op":"add","path":"/data/k","value":"a","value":"b"}]', ['json patch duplicate field "[0].value"']),
    ("json", b'[{"op":"test","path":"/data/k","z":1,"z":2,"value":"v"}]', ['json patch unknown field "[0].z"']),
    (
        "json",
        b'[{"op":"add","op":"add","path":"/nope","value":{"a":1,"a":2},"z":1}]',
        [
            'json patch duplicate field "[0].op"',
            'json patch duplicate field "[0].value.a"',
            'json patch unknown field "[0].z"',
            'unknown field "nope"',
        ],
    ),
]


@pytest.mark.parametrize(("kind", "patch", "problems"), CASES)
async def test_problems(gateway: Any, kind: str, patch: bytes, problems: list[str]) -> None:
    await gateway.admin.post(MAPS, json={"metadata": {"name": "a"}, "data": {"k": "v"}})
    headers = {"Content-Type": TYPES[kind]}
    for validation in ("", "Warn", "Ignore"):
        query = f"?dryRun=All&fieldValidation={validation}" if validation else "?dryRun=All"
        answer = await gateway.admin.patch(f"{MAPS}/a{query}", data=patch, headers=headers)
        assert answer.status == 200
        warned = [
            text.removeprefix('299 - "')[:-1].replace('\\"', '"') for text in answer.headers.getall("Warning", [])
        ]
        assert warned == ([] if validation == "Ignore" else problems)
    answer = await gateway.admin.patch(f"{MAPS}/a?fieldValidation=Strict", data=patch, headers=headers)
    assert answer.status == 422
    assert (await answer.json())["message"].endswith("strict decoding error: " + ", ".join(problems))
