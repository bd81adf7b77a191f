"""Metrics of extension API servers, read over HTTPS with this service's own certificate."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.resources import API_SERVICES
from kybern.controllers.podautoscaler.core.usage import MetricsError
from kybern.controllers.podautoscaler.metrics_api import MetricsAPI
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing.mesh import mesh

ANSWERS = {
    "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods": [
        {"metadata": {"name": "a"}, "window": "30s", "containers": [{"name": "c", "usage": {"cpu": "250m"}}]},
        {"metadata": {"name": "b"}, "containers": [{"name": "c", "usage": {"memory": "1Mi"}}]},
    ],
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/n/pods/*/hits": [
        {"describedObject": {"name": "a"}, "value": "1500m"}
    ],
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/n/services/s/hits": [{"value": "7"}],
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/n/queue": [{"value": "2"}, {"value": "3"}],
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        where = urlsplit(self.path)
        self.server.seen.append((where.path, parse_qs(where.query), self.connection.getpeercert()))  # type: ignore[attr-defined]
        found = ANSWERS.get(where.path)
        body = json.dumps({"items": found} if found is not None else {"message": "no"}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HTTPServer]:
    """A server that wants certificates of our CA; the bundle of a client is in `tmp_path/client`."""
    now, day = datetime.now(UTC), timedelta(days=1)
    ca = create_ca(tmp_path / "ca", now)
    write_bundle(tmp_path / "server", issue(ca, Identity("api", ips=("127.0.0.1",)), day, now))
    write_bundle(tmp_path / "client", issue(ca, Identity("system:kube-controller-manager"), day, now))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server" / "tls.pem")
    context.load_verify_locations(tmp_path / "ca" / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    found = HTTPServer(("127.0.0.1", 0), Handler)
    found.seen = []  # type: ignore[attr-defined]
    found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


async def test_metrics_are_read_over_https(server: Any, tmp_path: Path) -> None:
    async with mesh() as net:
        address = f"127.0.0.1:{server.server_address[1]}"
        await net.start(APISERVER, "--store", "sqlite::memory:")
        async with net.client() as client:
            api = MetricsAPI(client, tmp_path / "client" / "tls.pem", address)
            with pytest.raises(
                MetricsError, match=r"could not find the requested resource \(get pods.metrics.k8s.io\)"
            ):
                await api.pods("n", "app=web", "cpu")
            assert server.seen == []
            for name in ("v1beta1.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io"):
                version, _, group = name.partition(".")
                spec = {"group": group, "version": version, "service": {"name": "m", "namespace": "default"}}
                spec |= {"groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True}
                await client.create(API_SERVICES, {"metadata": {"name": name}, "spec": spec})
            found = await api.pods("n", "app=web", "cpu")
            assert [(name, metric.value, metric.window) for name, metric in found.items()] == [
                ("a", 250, timedelta(seconds=30))
            ]
            _, query, certificate = server.seen[0]
            assert query == {"labelSelector": ["app=web"]}
            assert certificate["subject"] == ((("commonName", "system:kube-controller-manager"),),)
            hits = {"name": "hits", "selector": {"matchLabels": {"verb": "GET"}}}
            assert (await api.of_pods("n", "app=web", hits))["a"].value == 1500
            assert server.seen[-1][1]["metricLabelSelector"] == ["verb=GET"]
            assert await api.of_object("n", {"kind": "Service", "name": "s"}, "services", hits) == 7000
            assert await api.external("n", {"name": "queue"}) == 5000
            with pytest.raises(MetricsError, match="unable to get external metric n/none"):
                await api.external("n", {"name": "none"})
