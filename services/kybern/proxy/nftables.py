"""The kernel's nftables through libnftables: one text, one transaction, all or nothing. Blocking."""

import ctypes
import ctypes.util
import threading

LIBRARY = "libnftables.so.1"


class NftablesError(Exception):
    """The kernel or the parser refused a transaction; nothing of it was applied."""


class Nftables:
    """One libnftables context; used from any thread, one transaction at a time."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise NftablesError(f"{LIBRARY} is missing ({error}); apt-get install libnftables1") from None
        library = self._library
        library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
            getattr(library, name).restype = ctypes.c_char_p
        self._context = library.nft_ctx_new(0)
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)
        self._lock = threading.Lock()

    def run(self, commands: str) -> str:
        """Apply commands as one transaction; returns what they print. Raises NftablesError."""
        with self._lock:
            failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
            output: str = self._library.nft_ctx_get_output_buffer(self._context).decode(errors="replace")
            error: str = self._library.nft_ctx_get_error_buffer(self._context).decode(errors="replace")
        if failed:
            raise NftablesError(error.strip() or "libnftables failed without a word")
        return output
