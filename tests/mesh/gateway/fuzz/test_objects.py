"""Whatever is sent as an object or a patch of any kind, it is stored, or refused in Kubernetes' words."""

import json
import os
from random import Random
from typing import Any

import orjson
import pytest
import yaml

from kybern.kube import schema
from kybern.kube.schema import ResourceInfo
from kybern.testing.documents import document, patch

KINDS = [
    pytest.param(info, id=f"{info.group or 'core'}-{info.version}-{info.resource}")
    for info in schema.load().resources.values()
    if "create" in info.verbs
]
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "6"))
PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


async def answer(gateway: Any, method: str, path: str, **given: Any) -> int:
    """The code of an answer that is as it should be."""
    async with gateway.admin.request(method, path, **given) as response:
        body = await response.read()
        sent = given.get("data", b"")[:4000]
        assert response.status < 500, f"{method} {path}: {body[:600]!r} for {sent!r}"
        found = orjson.loads(body)
        if response.status >= 400:
            assert found["kind"] == "Status", found
            assert found["code"] == response.status
            assert found["message"], found
        return int(response.status)


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


@pytest.mark.parametrize("info", KINDS)
async def test_objects_and_patches(gateway: Any, info: ResourceInfo) -> None:
    base = f"/apis/{info.api_version}" if info.group else f"/api/{info.version}"
    path = f"{base}/namespaces/default/{info.resource}" if info.namespaced else f"{base}/{info.resource}"
    for seed in range(ROUNDS):
        random = Random(f"{info.api_version}/{info.resource}/{seed}")
        query = random.choice(("", "?dryRun=All", "?fieldValidation=Strict", "?fieldManager=me"))
        json_type = {"Content-Type": "application/json"}
        await answer(gateway, "POST", path + query, data=encode(document(random, info)), headers=json_type)
        if "update" in info.verbs:
            await answer(gateway, "PUT", f"{path}/x{query}", data=encode(document(random, info)), headers=json_type)
        if "patch" in info.verbs:
            for kind, media_type in PATCHES.items():
                sent = patch(random, info, kind)
                data = (
                    yaml.safe_dump(json.loads(encode(sent)), allow_unicode=False).encode()
                    if kind == "apply"
                    else encode(sent)
                )
                query = "?fieldManager=me&force=true" if kind == "apply" else ""
                await answer(gateway, "PATCH", f"{path}/x{query}", data=data, headers={"Content-Type": media_type})
        if "delete" in info.verbs and random.random() < 0.5:
            await answer(gateway, "DELETE", f"{path}/x", data=encode(document(random, info)), headers=json_type)
