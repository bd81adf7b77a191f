"""containerd's configuration: each version gets the file that it reads."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kybern.runtime.containerd_config import Settings, parse_version, render

RUNTIME, IMAGES, CRI = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri"


def settings(**more: Any) -> Settings:
    home = Path("/d")
    return Settings(home / "root", home / "state", home / "c.sock", home / "cni", home / "certs.d", "pause:1", **more)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", (1, 6)),
        ("containerd containerd.io 1.7.27 05044ec0a9a75232cad458027ca83437aae3f4da", (1, 7)),
        ("containerd github.com/containerd/containerd/v2 2.3.7+unknown ", (2, 3)),
        ("containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4e490e9fbdc236c0e811ccaba3376", (2, 1)),
    ],
    ids=["Debian", "upstream 1.7", "built from its module", "upstream 2.1"],
)
def test_version(said: str, version: tuple[int, int]) -> None:
    assert parse_version(said) == version


def test_no_version() -> None:
    with pytest.raises(ValueError, match="no version"):
        parse_version("containerd v2")


@pytest.mark.parametrize(
    ("version", "file", "runtime", "images"),
    [((1, 6), 2, CRI, CRI), ((1, 7), 2, CRI, CRI), ((2, 1), 3, RUNTIME, IMAGES), ((2, 3), 3, RUNTIME, IMAGES)],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_every_version_must_know(version: tuple[int, int], file: int, runtime: str, images: str) -> None:
    found = tomllib.loads(render(settings(), version))
    plugins = found["plugins"]
    assert found["version"] == file
    assert (found["root"], found["state"], found["grpc"]["address"]) == ("/d/root", "/d/state", "/d/c.sock")
    assert plugins[CRI]["stream_server_address"] == "127.0.0.1"
    assert plugins[runtime]["restrict_oom_score_adj"] is True
    assert plugins[runtime]["netns_mounts_under_state_dir"] is True
    assert plugins[runtime]["cni"]["conf_dir"] == "/d/cni"
    assert plugins[runtime]["containerd"]["runtimes"]["runc"]["runtime_type"] == "io.containerd.runc.v2"
    assert plugins[images]["registry"]["config_path"] == "/d/certs.d:/etc/containerd/certs.d"


def test_names_that_changed() -> None:
    old, first, now = (tomllib.loads(render(settings(), version))["plugins"] for version in ((1, 6), (2, 0), (2, 1)))
    assert old[CRI]["sandbox_image"] == now[IMAGES]["pinned_images"]["sandbox"] == "pause:1"
    assert old[CRI]["cni"]["bin_dir"] == first[RUNTIME]["cni"]["bin_dir"] == "/usr/lib/cni"
    assert now[RUNTIME]["cni"]["bin_dirs"] == ["/usr/lib/cni"]
    assert now[IMAGES]["use_local_image_pull"] is True


@pytest.mark.parametrize(("version", "plugin"), [((1, 6), CRI), ((2, 3), RUNTIME)], ids=["1.6", "2.3"])
def test_the_shim_beside_containerd_is_the_one_that_runs(version: tuple[int, int], plugin: str) -> None:
    def runc(given: Settings) -> Any:
        return tomllib.loads(render(given, version))["plugins"][plugin]["containerd"]["runtimes"]["runc"]

    assert runc(settings(shim=Path("/opt/shim")))["runtime_path"] == "/opt/shim"
    assert "runtime_path" not in runc(settings())
