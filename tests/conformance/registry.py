"""A registry of the suite's images on each node's own loopback, which stands for all registries that the suite names.

Images are pushed once, into one folder; each node's network namespace has a server of its own on that folder, and the
node's containerd is told by `hosts.toml` to ask it first. What it does not have is asked of the registry that the name
says, and nobody answers there.
"""

import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kybern.runtime.containerd import Layout
from kybern.runtime.images import Image, render, sha256

ADDRESS = "127.0.0.1:5005"
NAMESPACES = Path("/run/netns")
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{address}", secret: suite}}
"""
HOSTS = f"""[host."http://{ADDRESS}"]
  capabilities = ["pull", "resolve"]
"""
WITHIN = 20.0  # seconds until a registry answers


@contextmanager
def registries(program: Path, home: Path, data_dir: Path, images: Iterable[Image]) -> Iterator[None]:
    """As long as the block runs, every node of a cluster can pull these images by their names."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.yaml"
    config.write_text(CONFIG.format(folder=home / "images", address=ADDRESS))
    nodes = sorted(data_dir.glob("nodes/*/containerd"))
    running: list[subprocess.Popen[bytes]] = []
    try:
        with (home / "log").open("ab") as log:
            for node in nodes:
                line = [*enter(node.parent.name), str(program), "serve", str(config)]
                running.append(subprocess.Popen(line, stdout=log, stderr=log))
        wait_until_answered(running[0])
        for image in images:
            push(image)
        for node in nodes:
            folder = Layout(node).registries / "_default"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "hosts.toml").write_text(HOSTS)
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10)


def enter(node: str) -> list[str]:
    """What runs a command where a node is: the first node is the host itself."""
    namespace = f"kybern-{node}"
    return ["ip", "netns", "exec", namespace] if (NAMESPACES / namespace).exists() else []


def wait_until_answered(process: subprocess.Popen[bytes]) -> None:
    """Return once the registry of this host answers."""
    end = time.monotonic() + WITHIN
    while True:
        try:
            request("GET", "/v2/")
            return
        except urllib.error.URLError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.05)


def push(image: Image) -> None:
    """Put an image into the registry, under its name without the host."""
    name, _, tag = image.reference.partition("/")[2].rpartition(":")
    rendered = render(image)
    for blob in rendered.blobs:
        digest = urllib.parse.quote(sha256(blob))
        if not exists(f"/v2/{name}/blobs/{digest}"):
            location = urllib.parse.urlsplit(request("POST", f"/v2/{name}/blobs/uploads/")["Location"])
            request("PUT", f"{location.path}?{location.query}&digest={digest}", blob)
    request("PUT", f"/v2/{name}/manifests/{tag}", rendered.manifest, rendered.media_type)


def exists(path: str) -> bool:
    """Whether the registry has it."""
    try:
        request("HEAD", path)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False
    return True


def request(
    method: str, path: str, body: bytes | None = None, media_type: str = "application/octet-stream"
) -> dict[str, str]:
    """One request to the registry of this host; the headers of its answer. Raises urllib's errors."""
    asked = urllib.request.Request(f"http://{ADDRESS}{path}", body, {"Content-Type": media_type}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
        return dict(answer.headers)
