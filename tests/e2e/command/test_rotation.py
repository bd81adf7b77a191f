"""Certificates that live for seconds: everything goes on working over their lifetimes, nothing restarts."""

import time
from collections.abc import Callable

import pytest
from cryptography import x509

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import pod
from kybern.testing.cluster.waiting import until

HOURS, SECONDS = "0.006", 0.006 * 3600
pytestmark = [pytest.mark.containerd, pytest.mark.timeout(240)]


def test_short_lived_certificates(real: Cluster, kubectl_of: Callable[[Cluster], Kubectl]) -> None:
    real.kybern("up", "--nodes", "1", "--secure-port", "0", "--certificate-hours", HOURS, timeout=90)
    began = time.monotonic()
    kubectl = kubectl_of(real)
    gateway = real.data_dir / "pki" / "gateway" / "tls.crt"
    first = x509.load_pem_x509_certificate(gateway.read_bytes())
    kubectl.send("apply", pod("early"))
    kubectl("wait", "--for=condition=Ready", "pod/early", "--timeout=30s")
    while time.monotonic() < began + SECONDS * 1.4:
        assert kubectl("exec", "early", "--", "echo", "still") == "still"
        time.sleep(1)
    now = x509.load_pem_x509_certificate(gateway.read_bytes())
    assert now.serial_number != first.serial_number
    assert first.not_valid_after_utc < now.not_valid_after_utc
    kubectl.send("apply", pod("late"))
    kubectl("wait", "--for=condition=Ready", "pod/late", "--timeout=30s")
    assert until(lambda: kubectl("exec", "late", "--", "echo", "new")) == "new"
    assert "Ready" in kubectl("get", "nodes", "--no-headers")
    assert {name: row["restarts"] for name, row in real.processes().items() if row["restarts"]} == {}
    assert "commit" in real.kybern("trace", "pod/late")
    real.kybern("down", "--purge", timeout=90)
