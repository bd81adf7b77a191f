"""Make the Service `kube-dns` and point it at this process, again and again until the apiserver has taken it."""

import asyncio
import logging

from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES, SERVICES, Resource
from kybern.dns.core import addon
from kybern.dns.core.addon import Object
from kybern.dns.core.resolv_conf import Address
from kybern.kube.status import StatusError

AGAIN = 1.0  # seconds


async def publish(client: Client, cluster_ip: str, listening: Address | None, log: logging.Logger) -> None:
    """Return once both objects are there. A Service that somebody has changed stays as it is."""
    while True:
        try:
            await ensure(client, SERVICES, addon.service(cluster_ip))
            if listening is not None:
                await ensure(client, ENDPOINT_SLICES, addon.endpoint_slice(*listening), replace=True)
            return
        except StatusError as error:
            log.warning("cannot publish the Service %s: %s; trying again", addon.NAME, error.message)
        await asyncio.sleep(AGAIN)


async def ensure(client: Client, resource: Resource, obj: Object, *, replace: bool = False) -> None:
    """Create the object; one that exists is kept, or changed to be like this one. Raises StatusError."""
    try:
        current = await client.get(resource, addon.NAME, addon.NAMESPACE)
    except StatusError as error:
        if error.code != 404:
            raise
        await client.create(resource, obj)
        return
    if replace and any(current.get(member) != obj[member] for member in ("endpoints", "ports")):
        await client.patch(resource, addon.NAME, addon.NAMESPACE, patch=obj)
