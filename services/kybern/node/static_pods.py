"""Static pods from a directory of manifests: run without the apiserver, mirrored in it once it answers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import yaml

from kybern.client.resources import PODS
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing
from kybern.node.context import NodeContext
from kybern.node.core.static_pod import BadManifest, mirror_pod, mirrored_uid, static_pod
from kybern.node.pod_worker import PodWorker

POLL_SECONDS = 1.0


def read_manifests(directory: Path, node_name: str) -> tuple[dict[str, Object], list[str]]:
    """(pods by uid, complaints about files). Blocking."""
    pods, wrong = {}, []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.suffix not in (".yaml", ".yml", ".json"):
            continue
        try:
            pod = static_pod(yaml.safe_load(path.read_text()), node_name)
            pods[meta.uid(pod)] = pod
        except (OSError, yaml.YAMLError, BadManifest) as error:
            wrong.append(f"{path.name}: {error}")
    return pods, wrong


class StaticPodWorker(PodWorker):
    """A worker whose pod is a file; what the API sees is its mirror."""

    def __init__(
        self, node: NodeContext, pod: Object, tasks: asyncio.TaskGroup, api_node: Callable[[], Object]
    ) -> None:
        super().__init__(node, pod, tasks)
        self.mirror: Object | None = None
        self._api_node = api_node
        self._unsent = False

    def update_mirror(self, mirror: Object | None) -> None:
        """The mirror as the API has it: somebody may delete it, and gets another one."""
        self.mirror = mirror
        self._unsent = True
        self.agenda.wake()

    def publish(self, status: Object) -> None:
        self._unsent = True
        self.agenda.wake()

    async def sync(self) -> None:
        await super().sync()
        if self._unsent and not self.removed and self.status is not None:
            await self._show(self.status)

    async def _show(self, status: Object) -> None:
        """Make the mirror and give it the status; without an apiserver, later."""
        try:
            if self.mirror is not None and meta.is_deleting(self.mirror):
                await self._delete_mirror()
            if self.mirror is None:
                self.mirror = await self.node.client.create(PODS, mirror_pod(self.pod, self._api_node()))
            self.node.writer.set(self.mirror, status)
            self._unsent = False
        except StatusError as error:
            if error.reason == "AlreadyExists":
                self.mirror = await self.node.client.get(PODS, meta.name(self.pod), meta.namespace(self.pod))
                if mirrored_uid(self.mirror) != self.uid:
                    await self._delete_mirror()
            self.agenda.again(1.0)

    async def _delete_mirror(self) -> None:
        mirror, self.mirror = self.mirror, None
        if mirror is not None:
            await self.node.client.delete(
                PODS, meta.name(mirror), meta.namespace(mirror), uid=meta.uid(mirror), grace_period_seconds=0
            )

    async def delete_object(self) -> None:
        """The file is gone: so is the mirror."""
        with allowing(404, 409):
            await self._delete_mirror()


async def run_static_pods(
    directory: Path, node: NodeContext, workers: dict[str, PodWorker], add: Callable[[Object], None]
) -> None:
    """Keep workers for the manifests of a directory until cancelled."""
    complained: list[str] = []
    while True:
        pods, wrong = await asyncio.to_thread(read_manifests, directory, node.name)
        for complaint in wrong:
            if complaint not in complained:
                node.telemetry.log.warning("static pod ignored: %s", complaint)
        complained = wrong
        for uid, pod in pods.items():
            if uid not in workers:
                add(pod)
        for uid, worker in workers.items():
            if isinstance(worker, StaticPodWorker) and uid not in pods and not worker.removed:
                worker.remove()
        await asyncio.sleep(POLL_SECONDS)
