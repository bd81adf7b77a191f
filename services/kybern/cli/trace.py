"""`kybern trace`: the newest trace of an object as a waterfall."""

import argparse
from typing import Any

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import UsageError
from kybern.cli.core.waterfall import Row, focus, render
from kybern.cli.running import require_running


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern trace`."""
    parser.add_argument("object", metavar="KIND/NAME", help="for example pod/web-1 or sts/db; or trace/ID")
    parser.add_argument("-n", "--namespace", default="default", help="namespace of the object (default: default)")
    parser.add_argument("--all", action="store_true", help="of a pod's trace, also what happened to other objects")


def about(span: Any) -> str:
    """The name of the object that a span speaks of."""
    return str(span.attributes.get("k8s.pod.name") or span.attributes.get("k8s.object.name", ""))


def parse_object(text: str) -> tuple[str, str]:
    """`po/web`, `pod/web` → ("pods", "web"); what is no built-in kind is taken for a resource. Raises UsageError."""
    from kybern.kube import schema

    kind, slash, name = text.partition("/")
    if not slash or not kind or not name:
        raise UsageError(f"{text!r} is not KIND/NAME; try pod/{text}")
    for known in schema.load().resources.values():
        if kind.lower() in (known.singular, known.resource, *known.short_names):
            return known.resource, name
    return kind.lower(), name


def run(options: argparse.Namespace, layout: Layout) -> int:
    """Ask the trace service and draw."""
    resource, name = parse_object(options.object)
    require_running(layout)
    import grpc

    from kybern.cli.connect import admin_channel
    from kybern.protos.telemetry.v1 import traces_pb2, traces_pb2_grpc

    with admin_channel(layout, "traces") as channel:
        stub = traces_pb2_grpc.TracesStub(channel)
        try:
            if resource == "trace":
                trace = stub.GetTrace(traces_pb2.GetTraceRequest(trace_id=name), timeout=5.0).trace
            else:
                request = traces_pb2.GetObjectTraceRequest(resource=resource, namespace=options.namespace, name=name)
                trace = stub.GetObjectTrace(request, timeout=5.0).trace
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise UsageError(f"{error.details()} (only recent traces are; restart the object to see it)") from None
            raise UsageError(f"the trace service does not answer ({error.details()}); see `kybern status`") from None
    rows = [
        Row(s.span_id, s.parent_span_id, s.service, s.name, s.start_unix_nano, s.end_unix_nano, s.error, about(s))
        for s in trace.spans
    ]
    if not options.all and resource == "pods":
        rows = focus(rows, name) or rows
    print(render(trace.trace_id, rows), end="")
    return 0
