"""The authorities that a TLS server names when it asks for a client's certificate, so that clients show a fitting one.

Python's ssl keeps to itself what OpenSSL can do here; its own copy of the library is asked through ctypes. Where that
cannot be (another Python, OpenSSL linked in without its names) nothing is named, and clients offer what they have.
"""

import _ssl
import ctypes
import ssl
import sys
import tempfile


def name_authorities(context: ssl.SSLContext, pem: bytes) -> bool:
    """Let a server's context name the subjects of these certificates, in place of those before; whether it does."""
    library, pointer = _library(), _pointer(context)
    if library is None or pointer is None:
        return False
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        names = library.SSL_load_client_CA_file(file.name.encode())
    if not names:
        return False
    library.SSL_CTX_set_client_CA_list(pointer, names)  # which owns the names from now on
    return True


def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(_ssl.__file__)
        library.SSL_load_client_CA_file.argtypes = [ctypes.c_char_p]
        library.SSL_load_client_CA_file.restype = ctypes.c_void_p
        library.SSL_CTX_set_client_CA_list.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        library.SSL_CTX_set_client_CA_list.restype = None
    except (AttributeError, OSError):  # built into the interpreter, or without these names
        return None
    return library


def _pointer(context: ssl.SSLContext) -> int | None:
    """OpenSSL's own context: the first thing in CPython's, behind what every object begins with."""
    if sys.implementation.name != "cpython" or not (3, 10) <= sys.version_info < (3, 15):
        return None
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
