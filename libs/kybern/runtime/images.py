"""Container images without a registry: OCI archives made from Debian's static binaries, and their import.

An archive is deterministic: the same binary gives the same bytes, hence the same digests, so that importing twice
costs nothing. References are full (`docker.io/kybern/busybox:1`): a pod's `image: kybern/busybox:1` resolves to it.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, STDOUT

PAUSE = "docker.io/kybern/pause:1"
BUSYBOX = "docker.io/kybern/busybox:1"
PATH_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OCI = "application/vnd.oci.image"

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"
NSSWITCH = b"passwd: files\ngroup: files\nhosts: files dns\n"


class ToolMissing(Exception):
    """A binary that an image is made of is not installed; the message says what to install."""


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a directory (data None, no link), a file, or a symbolic link."""

    path: str
    data: bytes | None = None
    link: str = ""
    mode: int = 0o755


@dataclass(frozen=True)
class Image:
    """What an image holds and how it starts."""

    reference: str
    entries: tuple[Entry, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = field(default=(PATH_ENV,))
    user: str = ""


def find_binary(names: Sequence[str], package: str) -> Path:
    """The first of these programs that is installed; ToolMissing names the Debian package otherwise."""
    for name in names:
        if found := shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/libexec/podman"):
            return Path(found).resolve()
    raise ToolMissing(f"{names[0]} is not installed: apt-get install {package}")


def pause_image() -> Image:
    """The sandbox container: catatonit reaps orphans and waits for its end."""
    binary = find_binary(["catatonit"], "catatonit").read_bytes()
    return Image(PAUSE, (Entry("catatonit", binary),), entrypoint=("/catatonit", "-P"))


def busybox_image() -> Image:
    """A small userland: one static binary, a link for each applet, and the files that name lookups need."""
    path = find_binary(["busybox"], "busybox-static")
    applets = subprocess.run([str(path), "--list"], check=True, capture_output=True, text=True).stdout.split()
    folders = [Entry(name) for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var")]
    folders += [Entry("tmp", mode=0o1777), Entry("usr/bin"), Entry("usr/sbin"), Entry("sbin"), Entry("var/www")]
    files = [Entry("bin/busybox", path.read_bytes()), Entry("usr/bin/env", link="/bin/busybox")]
    texts = {"etc/passwd": PASSWD, "etc/group": GROUP, "etc/nsswitch.conf": NSSWITCH}
    files += [Entry(name, data, mode=0o644) for name, data in texts.items()]
    links = [Entry(f"bin/{applet}", link="/bin/busybox") for applet in sorted(set(applets) - {"busybox"})]
    return Image(BUSYBOX, (*folders, *files, *links), command=("sh",))


def add_member(tar: tarfile.TarFile, entry: Entry) -> None:
    """Write one member with nothing in it that differs between runs."""
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
    elif entry.data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(entry.data)
    tar.addfile(info, io.BytesIO(entry.data) if entry.data is not None else None)


def tar_bytes(entries: Iterable[Entry]) -> bytes:
    """An uncompressed tar of the entries, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in entries:
            add_member(tar, entry)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type: str, data: bytes, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data), **more}


def encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def architecture() -> str:
    """The machine in OCI's words."""
    import platform

    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Rendered:
    """An image as a registry keeps it: its manifest and the blobs that this names."""

    manifest: bytes
    blobs: tuple[bytes, ...]
    media_type: str = f"{OCI}.manifest.v1+json"


def render(image: Image) -> Rendered:
    """The image with all its files in one layer."""
    layer = tar_bytes(image.entries)
    runtime: dict[str, object] = {
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.command),
        "Env": list(image.env),
    }
    runtime |= {"User": image.user} if image.user else {}
    config = encode(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": {key: value for key, value in runtime.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
        }
    )
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": descriptor(f"{OCI}.config.v1+json", config),
            "layers": [descriptor(f"{OCI}.layer.v1.tar", layer)],
        }
    )
    return Rendered(manifest, (layer, config))


def render_archive(image: Image) -> bytes:
    """An OCI image layout as a tar: one layer, its configuration, manifest and index."""
    rendered = render(image)
    name = {"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": image.reference}
    listed = descriptor(rendered.media_type, rendered.manifest, annotations=name)
    index = encode({"schemaVersion": 2, "manifests": [listed]})
    blobs = [
        Entry(f"blobs/sha256/{sha256(blob)[7:]}", blob, mode=0o644) for blob in (*rendered.blobs, rendered.manifest)
    ]
    layout = Entry("oci-layout", encode({"imageLayoutVersion": "1.0.0"}), mode=0o644)
    folders = [Entry("blobs"), Entry("blobs/sha256")]
    return tar_bytes([layout, *folders, *blobs, Entry("index.json", index, mode=0o644)])


def write_archives(directory: Path, images: Iterable[Image] | None = None) -> list[Path]:
    """Write each image as `<name>.tar`, leaving files that are right untouched; pause and busybox by default."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for image in images if images is not None else (pause_image(), busybox_image()):
        name = image.reference.rpartition("/")[2].partition(":")[0]
        path, data = directory / f"{name}.tar", render_archive(image)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
        paths.append(path)
    return paths


def import_archives(socket: str, archives: Iterable[Path]) -> None:
    """Load archives into a containerd for its CRI plugin; importing what is there already changes nothing."""
    prefix = ["ctr", "--address", socket.removeprefix("unix://"), "-n", "k8s.io", "images", "import"]
    running = [subprocess.Popen([*prefix, str(path)], text=True, stdout=PIPE, stderr=STDOUT) for path in archives]
    outputs = [process.communicate()[0] for process in running]
    failures = [output.strip() for process, output in zip(running, outputs, strict=True) if process.returncode]
    if failures:
        raise RuntimeError("cannot import images: " + "; ".join(failures))
