"""The runtime's pods as an agent knows them: fetched in detail for one pod, listed cheaply for all (PLEG).

Only a pod's worker fetches its details, so that what it did itself is never overwritten by an older look. `relist`
compares states alone and says which pods need a look.
"""

import asyncio
from collections.abc import Callable
from os import SEEK_END
from pathlib import Path

import grpc

from kybern.node.core import labels
from kybern.node.core.log_format import tail_message
from kybern.node.core.pleg import Seen, diff
from kybern.node.core.runtime_pod import Container, RuntimePod, Sandbox, State, from_nanos
from kybern.node.cri.client import CriError, Runtime
from kybern.protos.runtime.v1 import api_pb2 as cri

STATES = {
    cri.CONTAINER_CREATED: State.CREATED,
    cri.CONTAINER_RUNNING: State.RUNNING,
    cri.CONTAINER_EXITED: State.EXITED,
    cri.CONTAINER_UNKNOWN: State.UNKNOWN,
}
MESSAGE_BYTES = 4096
FALLBACK_BYTES, FALLBACK_LINES = 2048, 80
FALLBACK_READ = 64 << 10  # bytes of the log in which that many lines are looked for


class RuntimeCache:
    """What one node's runtime has."""

    def __init__(self, runtime: Runtime, node_name: str) -> None:
        self.runtime = runtime
        self._own = {labels.NODE: node_name}
        self._seen: dict[str, Seen] = {}
        self._details: dict[str, tuple[State, Container]] = {}
        self._runtime_name = ""

    async def relist(self, changed: Callable[[str], None]) -> None:
        """Look at everything, and name each pod in which something happened. Raises CriError."""
        sandboxes, containers = await asyncio.gather(
            self.runtime.list_pod_sandboxes(self._own), self.runtime.list_containers(self._own)
        )
        seen = {s.id: seen_sandbox(s) for s in sandboxes}
        seen |= {c.id: Seen(c.labels.get(labels.POD_UID, ""), c.id, str(STATES[c.state])) for c in containers}
        events = diff(self._seen, seen)
        self._seen = seen
        for gone in self._details.keys() - seen.keys():
            del self._details[gone]
        for uid in dict.fromkeys(event.uid for event in events):
            changed(uid)

    def uids(self) -> set[str]:
        """The pods of the last relist."""
        return {one.uid for one in self._seen.values()}

    async def fetch(self, uid: str) -> RuntimePod:
        """One pod in detail, newest first. Raises CriError."""
        wanted = {labels.POD_UID: uid}
        sandboxes, containers = await asyncio.gather(
            self.runtime.list_pod_sandboxes(wanted), self.runtime.list_containers(wanted)
        )
        boxes, details = await asyncio.gather(
            asyncio.gather(*(self._sandbox(s) for s in sandboxes)),
            asyncio.gather(*(self._container(c) for c in containers)),
        )
        self._note(uid, sandboxes, containers)
        first = sandboxes[0].labels if sandboxes else containers[0].labels if containers else {}
        return RuntimePod(
            uid,
            first.get(labels.POD_NAMESPACE, ""),
            first.get(labels.POD_NAME, ""),
            tuple(sorted((b for b in boxes if b), key=lambda b: (b.attempt, str(b.created_at)), reverse=True)),
            tuple(sorted((d for d in details if d), key=lambda d: (str(d.created_at), d.attempt), reverse=True)),
        )

    def _note(self, uid: str, sandboxes: list[cri.PodSandbox], containers: list[cri.Container]) -> None:
        """What a fetch saw needs no event any more."""
        for id_ in [id_ for id_, one in self._seen.items() if one.uid == uid]:
            del self._seen[id_]
        self._seen |= {s.id: seen_sandbox(s) for s in sandboxes}
        self._seen |= {c.id: Seen(uid, c.id, str(STATES[c.state])) for c in containers}

    async def _sandbox(self, listed: cri.PodSandbox) -> Sandbox | None:
        try:
            status = await self.runtime.pod_sandbox_status(listed.id)
        except CriError as error:
            if error.code == grpc.StatusCode.NOT_FOUND:
                return None
            raise
        ips = [status.network.ip, *(ip.ip for ip in status.network.additional_ips)]
        return Sandbox(
            listed.id,
            listed.metadata.attempt,
            status.state == cri.SANDBOX_READY,
            from_nanos(listed.created_at),
            tuple(ip for ip in ips if ip),
            status.linux.namespaces.options.network == cri.NODE,
        )

    async def _container(self, listed: cri.Container) -> Container | None:
        state = STATES[listed.state]
        known = self._details.get(listed.id)
        if known is not None and known[0] is state and state in (State.RUNNING, State.EXITED):
            return known[1]
        try:
            self._runtime_name = self._runtime_name or (await self.runtime.version()).runtime_name
            status = await self.runtime.container_status(listed.id)
        except CriError as error:
            if error.code == grpc.StatusCode.NOT_FOUND:
                return None
            raise
        message = await asyncio.to_thread(message_of, status) if status.finished_at else ""
        found = container(self._runtime_name, listed, status, message)
        self._details[listed.id] = (found.state, found)
        return found


def seen_sandbox(sandbox: cri.PodSandbox) -> Seen:
    state = State.RUNNING if sandbox.state == cri.SANDBOX_READY else State.EXITED
    return Seen(sandbox.labels.get(labels.POD_UID, ""), sandbox.id, str(state), True)


def container(runtime: str, listed: cri.Container, status: cri.ContainerStatus, message: str) -> Container:
    """A container from the runtime's two ways to speak of it."""
    return Container(
        id=status.id,
        name=status.labels.get(labels.CONTAINER_NAME, status.metadata.name),
        sandbox=listed.pod_sandbox_id,
        attempt=status.metadata.attempt,
        state=STATES[status.state],
        hash=status.annotations.get(labels.HASH, ""),
        image=status.image.image,
        image_ref=status.image_ref or listed.image_ref,
        created_at=from_nanos(status.created_at),
        started_at=from_nanos(status.started_at),
        finished_at=from_nanos(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=message or (status.message if status.state == cri.CONTAINER_EXITED else ""),
        log_path=status.log_path,
        annotations=dict(status.annotations),
        runtime=runtime,
    )


def message_of(status: cri.ContainerStatus) -> str:
    """The termination message: its file, or by policy the end of the log. Blocking."""
    annotations = status.annotations
    path = annotations.get(labels.TERMINATION_HOST_PATH, "")
    text = ""
    if path and Path(path).is_file():
        with Path(path).open("rb") as file:
            text = file.read(MESSAGE_BYTES).decode(errors="replace")
    fallback = annotations.get(labels.TERMINATION_POLICY) == "FallbackToLogsOnError" and status.exit_code != 0
    if not text and fallback and status.log_path and Path(status.log_path).is_file():
        with Path(status.log_path).open("rb") as file:
            file.seek(max(0, file.seek(0, SEEK_END) - FALLBACK_READ))
            text = tail_message(file.read(), FALLBACK_BYTES, FALLBACK_LINES)
    return text
