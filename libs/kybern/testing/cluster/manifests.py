"""Objects that run in tests with containers: busybox, short grace, and what the test says."""

from typing import Any

IMAGE = "kybern/busybox:1"
SERVE = "mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
Object = dict[str, Any]


def container(script: str = "exec sleep 3600", name: str = "main", **more: Any) -> Object:
    """A container that runs a shell script."""
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


def pod_spec(*containers: Object, **spec: Any) -> Object:
    """A pod's spec that goes away within a second."""
    return {"terminationGracePeriodSeconds": 1, **spec, "containers": list(containers or (container(),))}


def pod(name: str, *containers: Object, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A Pod; without containers it sleeps."""
    metadata = {"name": name, "labels": labels or {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(*containers, **spec)}


def web_container(**more: Any) -> Object:
    """A web server on 8080 that answers its pod's name."""
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
    return container(SERVE, "web", ports=[{"name": "http", "containerPort": 8080}], readinessProbe=probe, **more)


def deployment(name: str, replicas: int = 1, *containers: Object, **spec: Any) -> Object:
    """A Deployment of web servers, or of other containers."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(*(containers or (web_container(),)), **spec)}
    wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": wanted}


def service(name: str, **spec: Any) -> Object:
    """A Service on port 80 for pods of the same name."""
    wanted = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": wanted}


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> Object:
    """A Secret from plain texts."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
