"""Failures of calls in the words that Go's HTTP client has for them: people search for these messages."""

import errno
import os
import ssl

import aiohttp
import orjson

from kybern.kube.go_values import quoted

UNKNOWN_AUTHORITY = (18, 19, 20, 21)  # OpenSSL's verify codes
NOT_YET, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64
DEADLINE = "context deadline exceeded"
SAYING_WHY = (403, 406, 415)
_BY_CODE = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


def of_connection(error: Exception, host: str, address: str) -> str:
    """What went wrong below HTTP. `host` is the name that was to be verified, `address` is HOST:PORT."""
    match error:
        case TimeoutError():
            return DEADLINE
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: {_certificate(error.certificate_error, host)}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {address.rpartition(':')[0]}: no such host"
        case aiohttp.ClientConnectorSSLError():
            return _tls(str(error))
        case aiohttp.ClientConnectorError():
            return f"dial tcp {address}: connect: {_os(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.ClientPayloadError():
            return "unexpected EOF"
        case OSError():
            return f"read tcp {address}: {_os(error)}"
    return str(error) or type(error).__name__


def _certificate(error: Exception, host: str) -> str:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if code in UNKNOWN_AUTHORITY:
        return "x509: certificate signed by unknown authority"
    if code in (NOT_YET, EXPIRED):
        return "x509: certificate has expired or is not yet valid"
    if code == OTHER_ADDRESS:
        return f"x509: cannot validate certificate for {host} because it doesn't contain any IP SANs"
    if code == OTHER_NAME:
        return f"x509: certificate is not valid for any names, but wanted to match {host}"
    return f"x509: {error}"


def _tls(text: str) -> str:
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        return "http: server gave HTTP response to HTTPS client"
    return f"remote error: tls: {text}"


def _os(error: OSError) -> str:
    if error.errno == errno.ECONNRESET:
        return "connection reset by peer"
    return os.strerror(error.errno).lower() if error.errno else str(error)


def of_answer(code: int, body: bytes, is_text: bool = True) -> str:
    """What an HTTP answer other than success says; its body is for people only if it is text."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status" and status.get("message"):
        return str(status["message"])
    if code in _BY_CODE:
        return _BY_CODE[code]
    text = body.decode("utf-8", "replace").strip() if is_text else "unknown"
    if code == 406 and text in ("", "unknown"):
        return "the server was unable to respond with a content type that the client supports"
    if code in SAYING_WHY:
        return text
    if code >= 500:
        return f"an error on the server ({quoted(text)}) has prevented the request from succeeding"
    return f"the server responded with the status code {code} but did not return more information"
