"""Flags as /flagz shows them."""

from argparse import Namespace

from kybern.runtime.flagz import shown


def test_values_are_written_as_go_writes_them() -> None:
    options = Namespace(secure_port=6443, idle_timeout=90.0, worker=True, all=False, names=["a", "b"], file=None, x="y")
    assert shown(options) == {
        "secure-port": "6443", "idle-timeout": "90", "all": "false", "names": "[a,b]", "file": "", "x": "y",
    }  # fmt: skip
