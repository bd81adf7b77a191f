"""kr8s: waiting, scaling, exec, logs, watching, errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kybern.testing.cluster import Cluster

WITHIN = 100  # seconds


@pytest.mark.timeout(WITHIN + 20)
def test_kr8s(cluster: Cluster, namespace: str) -> None:
    program = str(Path(__file__).with_name("kr8s_steps.py"))
    line = [sys.executable, "-W", "ignore", program, str(cluster.kubeconfig), namespace]
    done = subprocess.run(line, capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (len(found), "\n".join(found.values()).strip()) == (5, "")
