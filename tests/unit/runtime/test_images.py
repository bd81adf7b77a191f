"""Image archives: deterministic, complete, and what OCI asks for."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from kybern.runtime.images import Entry, Image, render_archive, write_archives

IMAGE = Image(
    "docker.io/kybern/x:1",
    (Entry("bin"), Entry("bin/tool", b"#!"), Entry("bin/alias", link="/bin/tool"), Entry("tmp", mode=0o1777)),
    entrypoint=("/bin/tool",),
    command=("-v",),
)


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar if m.isfile()}


def test_the_same_image_gives_the_same_bytes() -> None:
    assert render_archive(IMAGE) == render_archive(IMAGE)


def test_every_descriptor_leads_to_its_blob() -> None:
    files = members(render_archive(IMAGE))
    index = json.loads(files["index.json"])
    (entry,) = index["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == IMAGE.reference
    manifest = json.loads(files[f"blobs/sha256/{entry['digest'][7:]}"])
    for one in (manifest["config"], *manifest["layers"]):
        blob = files[f"blobs/sha256/{one['digest'][7:]}"]
        assert (len(blob), hashlib.sha256(blob).hexdigest()) == (one["size"], one["digest"][7:])
    config = json.loads(files[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    assert config["config"]["Entrypoint"] == ["/bin/tool"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    layer = files[f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {m.name: (m.mode, m.linkname, m.isdir()) for m in tar}
    assert found["bin/alias"][1] == "/bin/tool"
    assert found["tmp"] == (0o1777, "", True)


def test_archives_that_are_right_stay_untouched(tmp_path: Path) -> None:
    (path,) = write_archives(tmp_path, [IMAGE])
    before = path.stat().st_mtime_ns
    assert write_archives(tmp_path, [IMAGE]) == [path]
    assert path.stat().st_mtime_ns == before
