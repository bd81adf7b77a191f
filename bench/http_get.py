"""GET of one Pod at 32 TLS connections, against nginx with one worker that serves the same bytes over TLS.

Needs wrk and nginx. One connection and 32, a few seconds each; the ratio is what counts.
"""

import json
import os
import re
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from cluster import Cluster, cluster

SECONDS = 5
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "bench"},
    "spec": {"automountServiceAccountToken": False, "containers": [{"name": "main", "image": "kybern/busybox:1"}]},
}
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


def wrk(url: str, connections: int, *headers: str) -> float:
    """Requests a second."""
    arguments = [part for header in headers for part in ("-H", header)]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", *arguments, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(text)
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found
    return float(found[1])


def nginx(folder: Path, body: bytes, port: int, pki: Path) -> subprocess.Popen[bytes]:
    """One worker with the same bytes."""
    (folder / "www").mkdir()
    (folder / "www" / "pod").write_bytes(body)
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, port=port, pki=pki))
    process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return process


def measure(c: Cluster) -> None:
    c.kubectl("create", "-f", "-", stdin=json.dumps(POD))
    c.kubectl("create", "clusterrolebinding", "bench", "--clusterrole=view", "--serviceaccount=default:default")
    token = c.kubectl("create", "token", "default").strip()
    url = f"https://127.0.0.1:{c.status['port']}/api/v1/namespaces/default/pods/bench"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    context = ssl.create_default_context(cafile=str(c.data_dir / "pki" / "ca.crt"))
    body = urllib.request.urlopen(request, context=context).read()
    with tempfile.TemporaryDirectory() as folder:
        process = nginx(Path(folder), body, 18443, c.data_dir / "pki" / "gateway")
        try:
            for connections in (1, 32):
                ours = wrk(url, connections, f"Authorization: Bearer {token}")
                theirs = wrk("https://127.0.0.1:18443/pod", connections)
                print(
                    f"GET of a {len(body)} byte Pod, {connections} connections: {ours:,.0f}/s; "
                    f"nginx {theirs:,.0f}/s; ratio {ours / theirs:.2f}"
                )
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    os.environ.setdefault("PATH", "/usr/bin:/bin")
    with cluster("--simulated-nodes", "1") as c:
        measure(c)


if __name__ == "__main__":
    main()
