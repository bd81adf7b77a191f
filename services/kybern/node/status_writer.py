"""Pod statuses on their way to the apiserver: the newest wins, only changes are sent, failures are tried again.

Written as a strategic merge patch on the status with the pod's uid, so that no resourceVersion can be stale and
conditions of others stay.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import PODS
from kybern.client.tracing import under
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.core.pod_update import OWNED
from kybern.node.core.resize_conditions import TYPES

RETRY_SECONDS = 1.0


def status_patch(pod: Object, status: Object, ended: Iterable[str] = ()) -> Object:
    """The patch: every field that the node owns; absent ones are nulled, so that old reasons go away.

    `ended`: conditions that hold no longer.
    """
    body: dict[str, Any] = {key: value for key, value in status.items() if key not in ("conditions", "qosClass")}
    for field in ("reason", "message"):
        body.setdefault(field, None)
    for field in ("hostIPs", "podIPs"):  # a patch merges them: old addresses would stay
        if field in body:
            body[field] = [{"$patch": "replace"}, *body[field]]
    body["conditions"] = [
        {"reason": None, "message": None, **condition}
        for condition in status.get("conditions") or []
        if condition["type"] in OWNED
    ] + [{"type": type_, "$patch": "delete"} for type_ in ended]
    return {"metadata": {"uid": meta.uid(pod)}, "status": body}


class StatusWriter:
    """One node's pod statuses."""

    def __init__(self, client: Client, log: logging.Logger) -> None:
        self._client, self._log = client, log
        self._waiting: dict[str, tuple[Object, Object, str]] = {}
        self._writing: dict[str, asyncio.Task[None]] = {}
        self._resizing: dict[str, set[str]] = {}  # conditions of resizes that have been told of, by pod
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for uid in list(self._waiting):
                self._start(uid)
            await asyncio.Event().wait()

    def set(self, pod: Object, status: Object, traceparent: str = "") -> None:
        """Send this status soon, instead of an older one that still waits."""
        self._waiting[meta.uid(pod)] = (pod, status, traceparent)
        self._start(meta.uid(pod))

    def _start(self, uid: str) -> None:
        if self._tasks is not None and uid not in self._writing:
            self._writing[uid] = self._tasks.create_task(self._write(uid))

    async def flush(self, uid: str) -> None:
        """Until nothing of this pod waits any more."""
        while uid in self._writing:
            await asyncio.wait([self._writing[uid]])

    def waits(self, uid: str) -> bool:
        """Whether a status of this pod is on its way."""
        return uid in self._waiting or uid in self._writing

    def forget(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._resizing.pop(uid, None)

    def _ended(self, pod: Object, status: Object) -> list[str]:
        """Conditions of resizes that somebody has been told of, and that hold no longer."""
        told = {c["type"] for c in (pod.get("status") or {}).get("conditions") or () if c["type"] in TYPES}
        told |= self._resizing.get(meta.uid(pod), set())
        holding = {c["type"] for c in status.get("conditions") or () if c["type"] in TYPES}
        if told or holding:
            self._resizing[meta.uid(pod)] = told | holding
        return sorted(told - holding)

    async def _write(self, uid: str) -> None:
        try:
            while uid in self._waiting:
                pod, status, traceparent = self._waiting.pop(uid)
                if not await self._send(pod, status, traceparent):
                    self._waiting.setdefault(uid, (pod, status, traceparent))
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            del self._writing[uid]

    async def _send(self, pod: Object, status: Object, traceparent: str) -> bool:
        """True when it is done with, be it that the pod is gone."""
        try:
            with under(traceparent):
                await self._client.patch(
                    PODS,
                    meta.name(pod),
                    meta.namespace(pod),
                    patch=status_patch(pod, status, self._ended(pod, status)),
                    patch_type=STRATEGIC_MERGE_PATCH,
                    subresource="status",
                )
        except StatusError as error:
            if error.code in (404, 409):
                return True
            self._log.info("status of pod %s is not written yet: %s", meta.key(pod), error)
            return error.code in (400, 403, 422)
        return True
