"""Rotation: when a certificate is due, and the Issuer that replaces the due ones.

A certificate is replaced somewhere between 0.67 and 0.8 of its life (kubelet's rule is similar). The place is derived
from the certificate itself, not drawn at each look, so that a cluster's certificates do not come due together and a
restart does not move the moment.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kybern.pki.authority import Authority, Identity, identity_of, issue
from kybern.pki.files import write_bundle
from kybern.pki.source import BUNDLE, parse_bundle

log = logging.getLogger(__name__)
EARLIEST, LATEST = 2 / 3, 0.8
LIFETIME = timedelta(days=365)


def rotation_time(cert: x509.Certificate, jitter: float | None = None) -> datetime:
    """When to replace it. `jitter` in [0, 1) picks the place in the window, by default the certificate does."""
    if jitter is None:
        jitter = hashlib.sha256(cert.tbs_certificate_bytes).digest()[0] / 256
    begin, end = cert.not_valid_before_utc, cert.not_valid_after_utc
    return begin + (end - begin) * (EARLIEST + (LATEST - EARLIEST) * jitter)


def needs_rotation(cert: x509.Certificate, now: datetime, jitter: float | None = None) -> bool:
    """Whether it is time (or the certificate is not valid yet, because the clock was set back)."""
    return now >= rotation_time(cert, jitter) or now < cert.not_valid_before_utc


@dataclass(frozen=True)
class Rotation:
    """A service whose certificate was replaced, and why."""

    service: str
    reason: str


class Issuer:
    """Keeps DIR/<service>/tls.pem valid for a set of services. The supervisor calls `rotate` now and then."""

    def __init__(
        self,
        directory: Path,
        ca: Authority,
        services: Mapping[str, Identity],
        lifetime: timedelta = LIFETIME,
    ) -> None:
        self._directory = directory
        self._ca = ca
        self._services = dict(services)
        self._lifetime = lifetime

    def add(self, service: str, identity: Identity) -> None:
        """Care for one more service; `rotate` gives it its first certificate."""
        self._services[service] = identity

    def remove(self, service: str) -> None:
        """Care for it no more; its files stay."""
        self._services.pop(service, None)

    def rotate(self, now: datetime, force: bool = False) -> list[Rotation]:
        """Issue what is missing, due, or no longer right (another CA, another identity); all with `force`."""
        done = []
        for service, identity in self._services.items():
            reason = "asked for" if force else self._reason(service, identity, now)
            if reason:
                write_bundle(self._directory / service, issue(self._ca, identity, self._lifetime, now))
                log.info("issued a certificate for %s (%s): %s", service, identity.common_name, reason)
                done.append(Rotation(service, reason))
        return done

    def next_rotation(self) -> datetime | None:
        """When the first certificate becomes due; None if one is missing or there are none."""
        times = []
        for service in self._services:
            cert = self._read(service)
            if cert is None:
                return None
            times.append(rotation_time(cert))
        return min(times, default=None)

    def _reason(self, service: str, identity: Identity, now: datetime) -> str | None:
        cert = self._read(service)
        if cert is None:
            return "none yet"
        try:
            cert.verify_directly_issued_by(self._ca.cert)
        except (ValueError, TypeError, InvalidSignature):
            return "issued by another authority"
        if not _same(identity_of(cert), identity):
            return "its identity changed"
        return "due" if needs_rotation(cert, now) else None

    def _read(self, service: str) -> x509.Certificate | None:
        try:
            pair = parse_bundle((self._directory / service / BUNDLE).read_bytes())
        except (OSError, ValueError):
            return None
        return x509.load_pem_x509_certificate(pair.cert)


def _same(one: Identity, other: Identity) -> bool:
    def key(identity: Identity) -> tuple[object, ...]:
        names = (identity.organizations, identity.dns_names, identity.ips)
        return (identity.common_name, *(sorted(name) for name in names))

    return key(one) == key(other)
