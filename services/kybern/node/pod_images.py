"""The images of a pod's containers: found on the node, or pulled as their policies say, with pauses after failures."""

from datetime import timedelta

from kybern.kube import meta
from kybern.kube.duration import format_go
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.context import NodeContext
from kybern.node.core import pod_sandbox
from kybern.node.core.container_config import ImageFacts
from kybern.node.core.images import normalize, problem, pull_policy
from kybern.node.core.pull_secrets import Credentials, credentials_for, read_credentials
from kybern.node.core.volumes import Reference
from kybern.node.cri.client import CriError
from kybern.protos.runtime.v1 import api_pb2 as cri

LONG_RETRY = 60.0  # where only a change of the pod can help


class StartFailed(Exception):
    """A container cannot start for now: the reason its status shows, and how long to wait."""

    def __init__(self, reason: str, message: str, retry: float = 10.0) -> None:
        super().__init__(message)
        self.reason, self.retry = reason, retry


class Images:
    """The images of one pod."""

    def __init__(self, node: NodeContext, pod: Object) -> None:
        self.node, self.pod = node, pod

    async def ensure(self, container: Object) -> ImageFacts:
        """The image, pulled if its policy says so. Raises StartFailed."""
        node, image, policy = self.node, container.get("image", ""), pull_policy(container)
        if why := problem(image):
            text = f'Failed to apply default image tag "{image}": {why}'
            node.event(self.pod, "Warning", "InspectFailed", text, container["name"])
            raise StartFailed("InvalidImageName", text, LONG_RETRY)
        try:
            found = await node.runtime.image_status(normalize(image))
            if found is not None and policy != "Always":
                text = f'Container image "{image}" already present on machine and can be accessed by the pod'
                node.event(self.pod, "Normal", "Pulled", text, container["name"])
                return facts_of(found)
            if policy == "Never":
                text = f'Container image "{image}" is not present with pull policy of Never'
                node.event(self.pod, "Warning", "ErrImageNeverPull", text, container["name"])
                raise StartFailed("ErrImageNeverPull", text)
        except CriError as error:
            raise StartFailed("ImageInspectError", f'Failed to inspect image "{image}": {error}') from None
        return await self._pull(container, image)

    async def _pull(self, container: Object, image: str) -> ImageFacts:
        node, name, now = self.node, container["name"], self.node.clock.now()
        key = f"{meta.uid(self.pod)}/{image}"
        since = node.pulls.entries[key][1] if key in node.pulls.entries else now
        if (remaining := node.pulls.remaining(key, since, now)) > 0:
            text = f'Back-off pulling image "{image}"'
            node.event(self.pod, "Normal", "BackOff", text, name)
            why = node.pull_errors.get(key)
            raise StartFailed("ImagePullBackOff", f"{text}: {why}" if why else text, remaining + 0.01)
        node.event(self.pod, "Normal", "Pulling", f'Pulling image "{image}"', name)
        try:
            config = pod_sandbox.sandbox_config(self.pod, node.settings, 0, node.logs_root)
            await self._fetch(image, config)
            found = await node.runtime.image_status(normalize(image))
        except CriError as error:
            node.pulls.next(key, now, node.clock.now())
            node.event(self.pod, "Warning", "Failed", f'Failed to pull image "{image}": {error}', name)
            node.event(self.pod, "Warning", "Failed", "Error: ErrImagePull", name)
            node.pull_errors[key] = f"ErrImagePull: {error}"
            raise StartFailed("ErrImagePull", str(error), 1.0) from None
        node.pull_errors.pop(key, None)
        took = format_go(timedelta(milliseconds=int((node.clock.now() - now).total_seconds() * 1000)))
        size = f"Image size: {found.size if found is not None else 0} bytes."
        text = f'Successfully pulled image "{image}" in {took} ({took} including waiting). {size}'
        node.event(self.pod, "Normal", "Pulled", text, name)
        return facts_of(found) if found is not None else ImageFacts(normalize(image))

    async def _fetch(self, image: str, config: cri.PodSandboxConfig) -> None:
        """Pull with the first of the pod's credentials that the registry accepts; without any, as nobody.

        Raises CriError.
        """
        pull, name = self.node.runtime.pull_image, normalize(image)
        failure: CriError | None = None
        for one in credentials_for(image, await self._credentials()):
            try:
                await pull(name, cri.AuthConfig(username=one.username, password=one.password), config)
                return
            except CriError as error:
                failure = error
        if failure is not None:
            raise failure
        await pull(name, None, config)

    async def _credentials(self) -> list[Credentials]:
        """What is in the Secrets that the pod names for this; of one that cannot be had, an event tells."""
        found: list[Credentials] = []
        lacking: list[str] = []
        for name in dict.fromkeys(
            ref["name"] for ref in self.pod["spec"].get("imagePullSecrets") or () if ref.get("name")
        ):
            try:
                secret = await self.node.references.read(self.pod, Reference("secret", name))
            except StatusError:
                secret = None
            if secret is None:
                lacking.append(name)
            else:
                found += read_credentials(secret)
        if lacking:
            text = (
                f"Unable to retrieve some image pull secrets ({', '.join(lacking)}); attempting to pull the image may "
            )
            self.node.event(self.pod, "Warning", "FailedToRetrieveImagePullSecret", f"{text}not succeed.")
        return found


def facts_of(image: cri.Image) -> ImageFacts:
    return ImageFacts(image.id, image.uid.value if image.HasField("uid") else None, image.username)
