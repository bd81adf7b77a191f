"""Conversion: a custom kind whose versions differ in ways that only its webhook knows.

Objects of such a kind stay in the cache as they were written. Every request is worked on in its own version: what it
reads is converted first, what it writes is converted to the storage version last. Answers are remembered per revision.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from kybern.apiserver.core import encoding
from kybern.apiserver.crd.conversion_review import VERSIONS, BadConversion, check, question, read_answer
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.target import read_target
from kybern.kube.status import StatusError, status_error
from kybern.kube.structural import CustomKind
from kybern.kube.structural.prune import prune
from kybern.protos.api.v1.objects_pb2 import WatchEvent

if TYPE_CHECKING:
    from kybern.apiserver.crd.definition import CustomVersion

Object = dict[str, Any]
SECONDS = 30.0
REMEMBERED = 16_384  # converted objects of the cache
LEARNT = 256  # others
BATCH = 500  # objects of a list that are converted by one call


class Unconverted(Exception):
    """An object is needed in another version, by somebody who cannot wait for it."""

    def __init__(self, obj: Object, api_version: str) -> None:
        super().__init__(f"not converted to {api_version} yet")
        self.obj, self.api_version = obj, api_version


class Conversion:
    """One definition's webhook, as the definition is now."""

    def __init__(self, crd: Object, versions: Sequence["CustomVersion"], client: WebhookClient, random: Random) -> None:
        webhook = crd["spec"]["conversion"]["webhook"]
        self._target = read_target(webhook["clientConfig"])
        spoken = webhook.get("conversionReviewVersions") or ()
        self._version = next((version for version in spoken if version in VERSIONS), "")
        self.kinds: Mapping[str, CustomKind] = {version.info.api_version: version.kind for version in versions}
        self.storage = next((version.info.api_version for version in versions if version.storage), "")
        self._client, self._random = client, random
        self._known: OrderedDict[tuple[bytes, str], bytes] = OrderedDict()
        self._learnt: OrderedDict[tuple[bytes, str], Object] = OrderedDict()

    async def convert(self, obj: Object, api_version: str) -> Object:
        """A decoded object in another version; the same object if it is in that already. Raises StatusError (500)."""
        if obj.get("apiVersion") == api_version:
            return obj
        return (await self._convert([obj], api_version))[0]

    def converted(self, obj: Object, api_version: str) -> Object:
        """As `convert`, from what has been learnt. Raises Unconverted."""
        if obj.get("apiVersion") == api_version:
            return obj
        found = self._learnt.get((orjson.dumps(obj), api_version))
        if found is None:
            raise Unconverted(obj, api_version)
        return found

    async def learn(self, missing: Unconverted) -> None:
        """Convert what `converted` has missed. Raises StatusError (500)."""
        key = (orjson.dumps(missing.obj), missing.api_version)
        self._learnt[key] = await self.convert(missing.obj, missing.api_version)
        if len(self._learnt) > LEARNT:
            self._learnt.popitem(last=False)

    async def entry(self, entry: Entry, api_version: str) -> Entry:
        """A cached object as if the cache had it in a version. Raises StatusError (500)."""
        return (await self.entries([entry], api_version))[0]

    async def entries(self, entries: Sequence[Entry], api_version: str) -> list[Entry]:
        """The same for a list. Raises StatusError (500)."""
        converted = await self.all_data([entry.data for entry in entries], api_version)
        return [
            entry if data is entry.data else entry.with_data(data)
            for entry, data in zip(entries, converted, strict=True)
        ]

    async def events(self, events: Sequence[WatchEvent], api_version: str) -> list[WatchEvent]:
        """Events of a watch. Raises StatusError (500)."""
        converted = await self.all_data([event.object for event in events], api_version)
        return [
            event if data is event.object else WatchEvent(type=event.type, object=data, traceparent=event.traceparent)
            for event, data in zip(events, converted, strict=True)
        ]

    async def all_data(self, encoded: Sequence[bytes], api_version: str) -> list[bytes]:
        """Encoded objects, with their resourceVersions, in a version. Raises StatusError (500)."""
        mark = b'"apiVersion":%b,' % orjson.dumps(api_version)
        found: list[bytes | None] = []
        missing: list[int] = []
        for index, data in enumerate(encoded):
            known = data if mark in data[: data.index(b'"metadata":')] else self._known.get((data, api_version))
            found.append(known)
            if known is None:
                missing.append(index)
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            converted = await self._convert([orjson.loads(encoded[index]) for index in batch], api_version)
            for index, obj in zip(batch, converted, strict=True):
                found[index] = self._remember(encoded[index], api_version, obj)
        return [data for data in found if data is not None]

    def _remember(self, data: bytes, api_version: str, obj: Object) -> bytes:
        made, revision = encoding.encode(obj), obj["metadata"].get("resourceVersion")
        if revision:
            made = encoding.splice(made, encoding.head(obj["kind"], api_version), int(revision))
        self._known[(data, api_version)] = made
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return made

    async def _convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """By one call of the webhook; none is of the wanted version yet."""
        first = objects[0]
        named = f"conversion webhook for {first.get('apiVersion')}, Kind={first.get('kind')}"
        try:
            converted = await self._ask(objects, api_version)
            if len(converted) != len(objects):
                raise BadConversion(f"returned {len(converted)} objects, expected {len(objects)}")
            several = len(objects) > 1
            made = [
                check(original, answer, api_version, str(index) if several else "")
                for index, (original, answer) in enumerate(zip(objects, converted, strict=True))
            ]
        except BadConversion as error:
            raise failed(str(error) if error.bare else f"{named} {error}") from None
        kind = self.kinds.get(api_version)
        if kind is not None and not kind.preserve:
            for obj in made:
                prune(kind.node, obj)
        return made

    async def _ask(self, objects: Sequence[Object], api_version: str) -> list[Any]:
        if not self._version:
            raise failed("no supported conversion review versions")
        uid = str(UUID(int=self._random.getrandbits(128), version=4))
        body = question(self._version, uid, objects, api_version)
        time = asyncio.get_running_loop().time
        started, failure = time(), "conversion_webhook_call_failure"
        try:
            data = await self._client.post(self._target, body, SECONDS)
            failure = "conversion_webhook_malformed_response_failure"
            answer = read_answer(data, self._version, uid)
            failure = ""
        except CallFailed as error:
            raise BadConversion(f"failed: {error}") from None
        finally:
            self._client.metrics.converted(time() - started, failure)
        return answer


def failed(message: str) -> StatusError:
    """A failure that has no reason of its own."""
    return status_error(500, "", message)
