"""Flags over the saved document over defaults, and what is refused."""

import os
from typing import Any

import pytest

from kybern.cli.core.options import ClusterOptions, UsageError, merge_options, save_options


def test_defaults() -> None:
    assert merge_options("", {"nodes": None}) == ClusterOptions()


def test_flags_win_over_what_was_saved() -> None:
    saved = save_options(ClusterOptions(secure_port=7443, simulated_nodes=3))
    assert merge_options(saved, {"secure_port": 8443, "nodes": None}) == ClusterOptions(
        secure_port=8443, simulated_nodes=3
    )


def test_flags_of_the_apiserver_are_kept() -> None:
    saved = save_options(ClusterOptions(apiserver_flags=("a=b", "c=d=e")))
    assert merge_options(saved, {"apiserver_flags": None}).apiserver_flags == ("a=b", "c=d=e")
    assert merge_options(saved, {"apiserver_flags": ("x=y",)}).apiserver_flags == ("x=y",)


def test_a_saved_document_of_a_later_version_keeps_what_is_known() -> None:
    assert merge_options('{"secure_port": 7443, "colour": "blue"}', {}).secure_port == 7443


def test_the_api_alone_is_kept_until_told_otherwise() -> None:
    saved = save_options(merge_options("", {"api_only": True}))
    assert merge_options(saved, {}).api_only
    assert not merge_options(saved, {"api_only": False, "simulated_nodes": 1}).api_only


@pytest.mark.parametrize(
    ("saved", "given", "words"),
    [
        ("not json", {}, "cannot be read"),
        ("[]", {}, "cannot be read"),
        ('{"secure_port": "7443"}', {}, "cannot be read"),
        ('{"nodes": true}', {}, "cannot be read"),
        ('{"store": 7}', {}, "cannot be read"),
        ("", {"store": "sqlite:"}, "neither sqlite:PATH nor etcd://"),
        ("", {"store": "etcd://a:1,b"}, "neither sqlite:PATH nor etcd://"),
        ("", {"bind_address": "localhost"}, "is not an IP address"),
        ("", {"otlp_endpoint": "collector:4317"}, "is not http://HOST:PORT"),
        ("", {"certificate_hours": 0.0}, "is too short"),
        ("", {"apiserver_flags": ("audit-log-path",)}, "is not NAME=VALUE"),
        ("", {"apiserver_flags": ("--audit-log-path=x",)}, "is not NAME=VALUE"),
        ("", {"apiserver_flags": ("store=x",)}, "is set by `kybern up` itself"),
        ('{"apiserver_flags": [1]}', {}, "cannot be read"),
        ("", {"secure_port": 70000}, "is not a port"),
        ("", {"nodes": -1}, "cannot be negative"),
        ("", {"nodes": 21}, "use --simulated-nodes"),
        ("", {"api_only": True, "simulated_nodes": 1}, "--api-only has no nodes"),
        ('{"api_only": true}', {"nodes": 1}, "give --no-api-only"),
        ('{"api_only": 1}', {}, "cannot be read"),
        ("", {"store": "mysql://x"}, "neither sqlite:PATH nor etcd://"),
        ("", {"runtime_endpoint": "/run/c.sock"}, "must be a unix:// address"),
        ("", {"runtime_endpoint": "unix:///c.sock", "nodes": 2}, "serves one node"),
        ('{"store": "etcd://a:1"}', {"store": "etcd://b:1"}, "give the same --store"),
    ],
)
def test_what_is_wrong_is_said(saved: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        merge_options(saved, given)


def test_files_are_kept_by_their_whole_path() -> None:
    options = merge_options("", {"encryption_provider_config": "enc.yaml", "etcd_cafile": "/ca", "nodes": 0})
    assert options.encryption_provider_config == os.path.abspath("enc.yaml")
    assert options.etcd_cafile == "/ca"
    assert merge_options(save_options(options), {}).encryption_provider_config == os.path.abspath("enc.yaml")
