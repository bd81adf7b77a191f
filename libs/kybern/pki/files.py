"""Secret files, replaced whole: a reader sees the old content or the new one, never a mixture."""

import os
from pathlib import Path

from kybern.pki.source import BUNDLE, KeyPair


def write_atomic(path: Path, content: bytes, mode: int) -> None:
    """Write beside, make durable, rename. Never readable by more than `mode` allows, not even for a moment."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(content)
            file.flush()
            os.fsync(fd)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_bundle(directory: Path, pair: KeyPair) -> None:
    """Put a pair where a FileCertificateSource finds it: DIR/tls.pem, in one step.

    `tls.crt`, `tls.key` and `ca.crt` beside it are for tools that want separate files; they are replaced one by one,
    so a program that must survive rotations reads the bundle.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(directory / BUNDLE, pair.key + pair.cert + pair.ca, 0o600)
    write_atomic(directory / "tls.key", pair.key, 0o600)
    write_atomic(directory / "tls.crt", pair.cert, 0o644)
    write_atomic(directory / "ca.crt", pair.ca, 0o644)
