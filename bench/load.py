"""Load for the HTTP benchmarks: wrk, nginx as yardstick, and a cluster's address and token."""

import asyncio
import json
import re
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster

NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir}; keepalive_requests 10000000;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/tls.crt; ssl_certificate_key {pki}/tls.key;
    location / {{ root {dir}/www; default_type application/json; }}
  }}
}}
"""
NGINX_PORT = 18443


@dataclass(frozen=True)
class Api:
    """Where a cluster's API is, and a service account's token that may do what the benchmarks do."""

    url: str
    token: str
    ca: Path

    @property
    def authorization(self) -> str:
        return f"Authorization: Bearer {self.token}"

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(self.ca))) as response:
            body: bytes = response.read()
        return body


def api(c: Cluster, role: str = "edit") -> Api:
    """Bind the role to the default service account and take its token."""
    c.kubectl("create", "clusterrolebinding", "bench", f"--clusterrole={role}", "--serviceaccount=default:default")
    token = c.kubectl("create", "token", "default", "--duration=24h").strip()
    return Api(f"https://127.0.0.1:{c.status['port']}", token, c.data_dir / "pki" / "ca.crt")


def wrk(url: str, connections: int, *headers: str, seconds: float = 5, script: str = "") -> float:
    """Requests a second. Raises SystemExit when an answer was not 2xx."""
    arguments = [part for header in headers for part in ("-H", header)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        if script:
            arguments += ["-s", file.name]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", *arguments, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(text)
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found
    return float(found[1])


@contextmanager
def nginx(body: bytes, pki: Path) -> Iterator[str]:
    """One worker that serves these bytes over TLS; their URL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "www").mkdir()
        (folder / "www" / "body").write_bytes(body)
        folder.chmod(0o755)
        (folder / "nginx.conf").write_text(NGINX.format(dir=folder, port=NGINX_PORT, pki=pki))
        process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield f"https://127.0.0.1:{NGINX_PORT}/body"
        finally:
            process.terminate()
            process.wait()


async def post_all(a: Api, path: str, bodies: Sequence[bytes], connections: int = 16) -> list[float]:
    """Create objects over some connections; seconds that each took."""
    waiting, seconds = list(reversed(bodies)), []
    context = ssl.create_default_context(cafile=str(a.ca))
    host, _, port = a.url.removeprefix("https://").partition(":")

    async def run() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{a.authorization}\r\nContent-Type: application/json\r\n"
        while waiting:
            body, began = waiting.pop(), time.monotonic()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", answer)
            answer += await (reader.readexactly(int(length[1])) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
            if b" 201 " not in answer[:16]:
                raise SystemExit(answer.decode())
            seconds.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(run() for _ in range(connections)))
    return seconds


def pod(name: str) -> bytes:
    """A Pod of about 2.6 KB when it is stored, that no scheduler takes."""
    environment = [{"name": f"SETTING_{i}", "value": "v" * 40} for i in range(10)]
    container = {"name": "main", "image": "kybern/busybox:1", "env": environment}
    spec = {"schedulerName": "none", "automountServiceAccountToken": False, "containers": [container]}
    return json.dumps({"metadata": {"name": name, "labels": {"app": "bench"}}, "spec": spec}).encode()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
