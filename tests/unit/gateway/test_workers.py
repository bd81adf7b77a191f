"""What a worker is told."""

import os
from argparse import Namespace

import pytest

from kybern.gateway.service import SERVICE
from kybern.gateway.workers import worker_address, worker_arguments
from kybern.runtime.main import build_parser


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("unix:/run/g.sock", "unix:/run/g.sock.2"), ("10.0.0.1:7000", "10.0.0.1:0"), ("[::1]:7", "[::1]:0")],
)
def test_addresses(address: str, wanted: str) -> None:
    assert worker_address(address, 2) == wanted


def test_arguments_are_those_of_the_first_process() -> None:
    flags = ["--address", "unix:/g", "--pki", "/p", "--apiserver", "unix:/a", "--traces", "unix:/t"]
    flags += ["--workers", "3", "--secure-port", "7443"]
    flags += ["--disable-http2-serving", "--http2-max-streams-per-connection", "7"]
    flags += ["--goaway-chance", "0.01", "--profiling", "false"]
    first = build_parser(SERVICE).parse_args(flags)
    worker = build_parser(SERVICE).parse_args(worker_arguments(first, 1))
    assert isinstance(worker, Namespace)
    assert (worker.address, worker.workers, worker.worker) == ("unix:/g.1", 1, os.getpid())
    same = ("pki", "apiserver", "secure_port", "bind_address", "traces", "log_level", "external_address")
    same += ("disable_http2_serving", "http2_max_streams_per_connection", "goaway_chance", "profiling")
    assert [getattr(worker, name) for name in same] == [getattr(first, name) for name in same]
