"""The demo: a cluster, an application with three replicas, its Service by ClusterIP and by DNS name, a pod's trace.

Everything goes through the real kubectl. The cluster keeps running; a second run starts from what is there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KYBERN = [sys.executable, "-m", "kybern.cli.main"]
IMAGE = "kybern/busybox:1"
SERVE = (
    'mkdir -p /tmp/www; echo "Hello from $(hostname)" > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www'
)
MANIFEST = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: hello, labels: {{app: hello}}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: hello}}}}
  template:
    metadata: {{labels: {{app: hello}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {IMAGE}
        command: [sh, -c, '{SERVE}']
        ports: [{{containerPort: 8080, name: http}}]
        readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: hello}}
spec:
  selector: {{app: hello}}
  ports: [{{port: 80, targetPort: http}}]
"""


class Demo:
    """Runs steps, shows what it runs, and remembers how long each took."""

    def __init__(self, data_dir: Path, kubectl: str) -> None:
        self.data_dir, self.kubectl_path = data_dir, kubectl
        self.times: list[tuple[str, float]] = []
        self.environment = {**os.environ, "KUBECONFIG": str(data_dir / "admin.kubeconfig")}

    def step(self, title: str, command: list[str], *, stdin: str = "", tries: int = 1) -> str:
        """Run a command, show it and its output, stop the demo when it fails."""
        shown = " ".join([Path(command[0]).name, *command[1:]]).replace("python -m kybern.cli.main", "kybern")
        print(
            f"\n\033[1m▶ {title}\033[0m\n  $ {shown}" if sys.stdout.isatty() else f"\n> {title}\n  $ {shown}",
            flush=True,
        )
        began = time.monotonic()
        for attempt in range(tries):
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.environment)
            if done.returncode == 0:
                break
            time.sleep(0.2 * (attempt + 1))
        took = time.monotonic() - began
        print("".join(f"  {line}\n" for line in (done.stdout + done.stderr).splitlines()), end="")
        if done.returncode:
            raise SystemExit(f"the demo stopped: exit status {done.returncode} (logs are in {self.data_dir / 'logs'})")
        self.times.append((title, took))
        return done.stdout

    def kubectl(self, title: str, *arguments: str, stdin: str = "", tries: int = 1) -> str:
        """A step with kubectl."""
        return self.step(title, [self.kubectl_path, *arguments], stdin=stdin, tries=tries)


def find_kubectl() -> str:
    """kubectl on the PATH, or the one that the setup has built."""
    found = shutil.which("kubectl") or str(ROOT / "build" / "tools" / "kubectl")
    if not Path(found).exists():
        raise SystemExit("no kubectl: run tools/kubectl.sh, or put one on the PATH")
    return found


def fetch(url: str) -> str:
    """GET from this host; a moment's patience for rules that are just being written."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return str(response.read().decode())
        except (urllib.error.URLError, OSError) as error:
            last = error
            time.sleep(0.1)
    raise SystemExit(f"the demo stopped: {url} does not answer ({last})")


def reach_by_cluster_ip(demo: Demo) -> None:
    """From the host, through the service proxy's rules."""
    address = demo.kubectl(
        "The Service has a cluster IP", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}"
    )
    began = time.monotonic()
    answers = [fetch(f"http://{address}/").strip() for _ in range(6)]
    demo.times.append(("reached through its ClusterIP", time.monotonic() - began))
    print(f"\n  http://{address}/ six times:")
    print("".join(f"    {answer}\n" for answer in answers), end="")


def reach_by_name(demo: Demo) -> None:
    """From another pod, by the Service's DNS name."""
    demo.kubectl("Another pod", "delete", "pod", "visitor", "--ignore-not-found", "--grace-period=1")
    image = ("run", "visitor", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sleep", "3600")
    demo.kubectl("A pod to ask from", *image)
    demo.kubectl("It gets ready", "wait", "--for=condition=Ready", "pod/visitor", "--timeout=60s")
    demo.kubectl("It resolves the name", "exec", "visitor", "--", "nslookup", "hello.default.svc.cluster.local")
    demo.kubectl("It reaches the Service by name", "exec", "visitor", "--", "wget", "-qO-", "http://hello/", tries=5)


def simulated(demo: Demo) -> bool:
    """Whether the cluster's nodes only pretend to run containers."""
    versions = demo.kubectl("Nodes", "get", "nodes", "-o", "wide")
    return "simulated" in versions


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = "/var/lib/kybern" if os.geteuid() == 0 else os.path.expanduser("~/.local/share/kybern")
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("KYBERN_DATA_DIR", default)))
    data_dir = parser.parse_args().data_dir
    demo = Demo(data_dir, find_kubectl())
    running = subprocess.run([*KYBERN, "status", "--data-dir", str(data_dir)], capture_output=True).returncode == 0
    if not running:
        demo.step("Start a cluster", [*KYBERN, "up", "--data-dir", str(data_dir)])
    only_simulated = simulated(demo)
    afresh = ("deployment/hello", "service/hello", "--ignore-not-found", "--cascade=foreground", "--timeout=60s")
    demo.kubectl("Remove what an earlier demo left", "delete", *afresh)
    demo.kubectl("Deploy an application", "apply", "-f", "-", stdin=MANIFEST)
    demo.kubectl("Wait until it runs", "rollout", "status", "deployment/hello", "--timeout=120s")
    pods = demo.kubectl("Its pods", "get", "pods", "-l", "app=hello", "-o", "wide")
    if only_simulated:
        print("\n  The nodes are simulated: no container runs, so the Service is not reached here.")
    else:
        reach_by_cluster_ip(demo)
        reach_by_name(demo)
    pod = pods.splitlines()[1].split()[0]
    demo.step("The way of one pod", [*KYBERN, "trace", f"pod/{pod}", "--data-dir", str(data_dir)], tries=10)
    print("\nHow long each step took:")
    for title, seconds in demo.times:
        print(f"  {seconds:7.2f} s  {title}")
    flag = "" if str(data_dir) == default else f" --data-dir {data_dir}"
    print(f"\nThe cluster is running. Go on with:\n  export KUBECONFIG={data_dir}/admin.kubeconfig\n  kubectl get pods")
    print(f"  .venv/bin/kybern status{flag}\nStop it with:\n  make down" if not flag else f"Stop it: kybern down{flag}")


if __name__ == "__main__":
    main()
