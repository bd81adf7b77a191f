"""How a gRPC call ended, as its trailers say."""

from urllib.parse import unquote

import grpc

CODES = {str(code.value[0]): code for code in grpc.StatusCode}


def status_of(trailers: dict[str, str]) -> tuple[grpc.StatusCode, str]:
    """Code and message; UNKNOWN where the trailers say nothing that is known."""
    code = CODES.get(trailers.get("grpc-status", ""), grpc.StatusCode.UNKNOWN)
    return code, unquote(trailers.get("grpc-message", ""))
