"""A review put to a webhook that authenticates or authorizes: tried again while it fails for the moment."""

import asyncio
from typing import Any

import orjson

from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote

Object = dict[str, Any]
TRIES = (0.5, 0.75, 1.125, 1.6875)  # seconds between tries of a call that fails for the moment


async def ask(
    client: WebhookClient, remote: Remote, review: Object, seconds: float, tries: tuple[float, ...] = TRIES
) -> Object:
    """The status of the review that comes back. Raises CallFailed."""
    body = orjson.dumps(review)
    for pause in (*tries, None):
        try:
            data = await client.post(remote.target, body, seconds, remote.credentials)
            break
        except CallFailed as error:
            if pause is None or not error.transient:
                raise
            await asyncio.sleep(pause)
    try:
        status = orjson.loads(data)["status"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        status = None
    if not isinstance(status, dict):
        raise CallFailed(f"the answer is no {review['kind']} with a status")
    return status
