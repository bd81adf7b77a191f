"""A node's Summary as Prometheus metrics: the kubelet's /metrics/resource, and what people use of cAdvisor's."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]
Sample = tuple[Mapping[str, str], float]
Family = tuple[str, str, str, list[Sample]]  # name, type, help, samples
NANOS = 1e9


def resource_metrics(summary: Object) -> str:
    """The families of /metrics/resource."""
    node = summary["node"]
    pods, containers = summary.get("pods") or [], list(_containers(summary))
    return render(
        [
            ("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node", [_cpu({}, node)]),
            ("node_memory_working_set_bytes", "gauge", "Current working set of the node", [_memory({}, node)]),
            (
                "pod_cpu_usage_seconds_total",
                "counter",
                "Cumulative cpu time of the pod",
                [_cpu(_of(p), p) for p in pods],
            ),
            (
                "pod_memory_working_set_bytes",
                "gauge",
                "Current working set of the pod",
                [_memory(_of(p), p) for p in pods],
            ),
            (
                "container_cpu_usage_seconds_total",
                "counter",
                "Cumulative cpu time of the container",
                [_cpu(labels, one) for labels, one in containers],
            ),
            (
                "container_memory_working_set_bytes",
                "gauge",
                "Current working set of the container",
                [_memory(labels, one) for labels, one in containers],
            ),
            ("resource_scrape_error", "gauge", "1 if there was an error while getting container metrics", [({}, 0.0)]),
        ]
    )


def cadvisor_metrics(summary: Object, machine: Object) -> str:
    """The families of /metrics/cadvisor that CRI's statistics have; `machine`: cores and memory in bytes."""
    containers = list(_containers(summary))

    def memory(member: str) -> list[Sample]:
        return [(labels, float(one["memory"].get(member) or 0)) for labels, one in containers]

    usage = "container_fs_usage_bytes"
    return render(
        [
            (
                "container_cpu_usage_seconds_total",
                "counter",
                "Cumulative cpu time",
                [_cpu(k, v) for k, v in containers],
            ),
            ("container_memory_usage_bytes", "gauge", "Current memory usage", memory("usageBytes")),
            ("container_memory_working_set_bytes", "gauge", "Current working set", memory("workingSetBytes")),
            ("container_memory_rss", "gauge", "Size of RSS", memory("rssBytes")),
            (usage, "gauge", "Bytes consumed on the filesystem", [_disk(k, v) for k, v in containers]),
            ("machine_cpu_cores", "gauge", "Number of logical CPU cores", [({}, float(machine["cores"]))]),
            ("machine_memory_bytes", "gauge", "Amount of memory installed", [({}, float(machine["memory"]))]),
        ]
    )


def _of(pod: Object) -> dict[str, str]:
    return {"namespace": pod["podRef"]["namespace"], "pod": pod["podRef"]["name"]}


def _containers(summary: Object) -> Iterator[tuple[dict[str, str], Object]]:
    for pod in summary.get("pods") or ():
        for one in pod.get("containers") or ():
            yield {"container": one["name"], **_of(pod)}, one


def _cpu(labels: Mapping[str, str], one: Object) -> Sample:
    return labels, (one.get("cpu") or {}).get("usageCoreNanoSeconds", 0) / NANOS


def _memory(labels: Mapping[str, str], one: Object) -> Sample:
    return labels, float((one.get("memory") or {}).get("workingSetBytes", 0))


def _disk(labels: Mapping[str, str], one: Object) -> Sample:
    return labels, float((one.get("rootfs") or {}).get("usedBytes") or 0)


def render(families: Iterable[Family]) -> str:
    """Prometheus' text format."""
    lines = []
    for name, kind, about, samples in families:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            shown = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{shown}}} {value:.17g}" if shown else f"{name} {value:.17g}")
    return "\n".join((*lines, ""))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
