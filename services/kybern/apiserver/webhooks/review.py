"""A review put to a webhook that authenticates or authorizes: tried again while it fails for the moment.

What comes back is read as strictly as in Kubernetes: of the kind that was asked for, its status of the right types.
"""

import asyncio
from typing import Any

import orjson
import yaml

from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote
from kybern.kube import recognize, schema

Object = dict[str, Any]
TRIES = (0.5, 0.75, 1.125, 1.6875)  # seconds between tries of a call that fails for the moment
VERSIONS = ("v1", "v1beta1")
AGENT = "Go-http-client/1.1"


async def ask(
    client: WebhookClient, remote: Remote, review: Object, seconds: float, tries: tuple[float, ...] = TRIES
) -> Object:
    """The status of the review that comes back. Raises CallFailed."""
    body = orjson.dumps(review)
    for pause in (*tries, None):
        try:
            data = await client.post(remote.target, body, seconds, remote.credentials, agent=AGENT)
            break
        except CallFailed as error:
            if pause is None or not error.transient:
                raise
            await asyncio.sleep(pause)
    return read_status(data, review["apiVersion"], review["kind"])


def read_status(data: bytes, api_version: str, kind: str) -> Object:
    """What an answer says; nothing, if it has no status. Raises CallFailed."""
    if not data:
        raise CallFailed("0-length response with status code: 200 and content type: application/json")
    group, _, version = api_version.partition("/")
    try:
        answer = recognize.typed(data if data.lstrip().startswith(b"{") else _from_yaml(data))
    except recognize.UnrecognizedError as error:
        raise CallFailed(str(error)) from None
    given, said = answer.get("apiVersion") or api_version, answer.get("kind") or kind
    if (given, said) != (api_version, kind):
        raise CallFailed(_mismatch(said, given, group, version, kind))
    definition = schema.definition((group, "v1", kind))
    assert definition is not None
    errors, _ = schema.check(definition, {"status": answer.get("status")})
    if errors:
        raise CallFailed(errors[0].replace("of type v1.", f"of type {version}."))
    return answer.get("status") or {}


def _from_yaml(data: bytes) -> bytes:
    try:
        return orjson.dumps(yaml.safe_load(data))
    except (yaml.YAMLError, orjson.JSONEncodeError, UnicodeDecodeError) as error:
        raise CallFailed(f"couldn't get version/kind; json parse error: {error}") from None


def _mismatch(said: str, given: str, group: str, version: str, kind: str) -> str:
    """The complaint about an answer of another kind or version."""
    other, _, given_version = given.rpartition("/")
    known = schema.kind(other, given_version, said) is not None or (said == "Status" and given == "v1")
    if known or (other == group and said == kind and given_version in VERSIONS):
        return f"converting ({given_version}.{said}) to ({version}.{kind}): unknown conversion"
    return recognize.not_registered(said, given)
