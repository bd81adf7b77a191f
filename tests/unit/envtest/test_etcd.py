"""The flags of what stands in for etcd."""

from kybern.envtest.etcd import read


def test_flags_have_a_value_behind_them_or_none() -> None:
    given = read(["--data-dir", "/d", "--unsafe-no-fsync", "--listen-client-urls=http://127.0.0.1:1", "-x", "y"])
    assert given == {
        "data-dir": "/d",
        "unsafe-no-fsync": "",
        "listen-client-urls": "http://127.0.0.1:1",
        "x": "y",
    }
