"""Target: a webhook's `clientConfig`, read once: an https URL, or a Service that is called at one of its endpoints."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

HTTPS = 443


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """A port of a Service."""

    namespace: str
    name: str
    port: int = HTTPS

    @property
    def host(self) -> str:
        """The name in the webhook's certificate."""
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True)
class Credentials:
    """As whom a webhook is called, and how its certificate is checked; by default as nobody, and strictly."""

    certificate: str = ""  # PEM: certificate and key
    authorization: str = ""  # the header's value
    server_name: str = ""  # in the server's certificate, if another than the URL's host
    insecure: bool = False


ANONYMOUS = Credentials()


@dataclass(frozen=True, slots=True)
class Target:
    """`url` is how messages name it, for a Service too; `ca` is PEM, "" for the system's authorities."""

    url: str
    ca: str = ""
    service: ServiceReference | None = None

    @property
    def path(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def shown(self, seconds: float) -> str:
        """The URL that is asked, with the time it has."""
        whole = int(seconds) + (seconds > int(seconds))
        return f"{self.url}{'&' if '?' in self.url else '?'}timeout={whole}s"


def read_target(config: Mapping[str, Any]) -> Target:
    """A clientConfig of a webhook configuration or a CustomResourceDefinition, which validation has passed."""
    ca = _pem(config.get("caBundle") or "")
    service = config.get("service")
    if service:
        reference = ServiceReference(
            service.get("namespace") or "", service.get("name") or "", service.get("port") or HTTPS
        )
        path = "/" + (service.get("path") or "").lstrip("/")
        return Target(f"https://{reference.host}:{reference.port}{path}", ca, reference)
    url = config.get("url") or ""
    parts = urlsplit(url)
    return Target(url if parts.path else f"{url}/", ca)


def _pem(bundle: str) -> str:
    try:
        return base64.b64decode(bundle).decode("ascii", "replace")
    except (binascii.Error, ValueError):
        return bundle
