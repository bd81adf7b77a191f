"""Protobuf bodies (`application/vnd.kubernetes.protobuf`): built-in kinds between Kubernetes' wire form and JSON.

A body is four bytes, `k8s` and zero, and a `runtime.Unknown` that carries apiVersion, kind and the message. JSON stays
the form that everything else works on.
"""

from kybern.kube.protobuf.codec import (
    CONTENT_TYPE,
    MAGIC,
    META_KINDS,
    ListEncoder,
    ProtobufError,
    decode,
    encode,
    frame,
    has_form,
)

__all__ = [
    "CONTENT_TYPE",
    "MAGIC",
    "META_KINDS",
    "ListEncoder",
    "ProtobufError",
    "decode",
    "encode",
    "frame",
    "has_form",
]
