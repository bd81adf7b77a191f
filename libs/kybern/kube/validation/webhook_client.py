"""Where webhooks are called and which reviews they read: `clientConfig` and the versions beside it."""

from urllib.parse import urlsplit

from kybern.kube.field import invalid, required
from kybern.kube.validation.fields import Errors, Object
from kybern.kube.validation.names import dns1035_label, dns1123_subdomain

REVIEW_VERSIONS = ("v1", "v1beta1")
_FORM = "; desired format: https://host[/path]"


def client_config(config: Object, path: str) -> Errors:
    """A URL or a Service, not both."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(url, f"{path}.url")
    else:
        yield from _service(service or {}, f"{path}.service")


def _url(url: str, path: str) -> Errors:
    try:
        if url.startswith(":"):
            raise ValueError("missing protocol scheme")
        parts = urlsplit(url)
    except ValueError as error:
        yield required(path, f'url must be a valid URL: parse "{url}": {error}{_FORM}')
        return
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        yield invalid(path, "", f"host must be specified{_FORM}")
    if at:
        yield invalid(path, user, "user information is not permitted in the URL")
    if parts.fragment:
        yield invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid(path, parts.query, "query parameters are not permitted in the URL")


def _service(service: Object, path: str) -> Errors:
    for name, told in (("namespace", "name"), ("name", "namespace")):  # upstream takes one for the other
        if not service.get(name):
            yield required(f"{path}.{told}")
    port = service.get("port")
    if port is not None and not 1 <= port <= 65535:
        yield invalid(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive")
    where = service.get("path")
    if where and where != "/":
        yield from _service_path(where, f"{path}.path")


def _service_path(where: str, path: str) -> Errors:
    if where == "//":
        yield invalid(path, where, "segment[0] may not be empty")
        return
    if not where.startswith("/"):
        yield invalid(path, where, "must start with a '/'")
    for index, step in enumerate(where[1:].removesuffix("/").split("/")):
        if not step:
            yield invalid(path, where, f"segment[{index}] may not be empty")
        else:
            for problem in dns1123_subdomain(step):
                yield invalid(path, where, f"segment[{index}]: {problem}")


def review_versions(versions: list[str], path: str, absent: str = "") -> Errors:
    """The versions of AdmissionReview or ConversionReview that a webhook reads: one at least is spoken here."""
    if not versions:
        yield required(path, absent)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        for problem in dns1035_label(version):
            yield invalid(f"{path}[{index}]", version, problem)
    if not set(versions) & set(REVIEW_VERSIONS):
        yield invalid(path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")
