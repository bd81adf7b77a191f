"""The `status.loadBalancer` of Services and Ingresses: where traffic comes in."""

from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items, text
from kybern.kube.validation.names import dns1123_subdomain, ip_address, strict_ip_address

_AT = "status.loadBalancer.ingress"


def _ingress(obj: Object) -> list[Object]:
    return items(child(child(obj, "status"), "loadBalancer"), "ingress")


def validate_service_status(obj: Object, old: Object) -> Errors:
    """Of a Service of type LoadBalancer alone; each address says how it is to be treated."""
    if child(obj, "spec").get("type") == "LoadBalancer":
        yield from _points(obj, old, with_mode=True)
    elif _ingress(obj):
        yield forbidden(_AT, "may only be used when `spec.type` is 'LoadBalancer'")


def validate_ingress_status(obj: Object, old: Object) -> Errors:
    yield from _points(obj, old, with_mode=False)


def _points(obj: Object, old: Object, with_mode: bool) -> Errors:
    """Addresses that were there are not judged again."""
    had = {point.get("ip") for point in _ingress(old)}
    for index, point in enumerate(_ingress(obj)):
        at, ip, mode, host = f"{_AT}[{index}]", point.get("ip"), point.get("ipMode"), point.get("hostname")
        if ip and ip not in had:
            yield from text(ip, f"{at}.ip", strict_ip_address)
        if with_mode and ip and mode is None:
            yield required(f"{at}.ipMode", "must be specified when `ip` is set")
        if with_mode and not ip and mode is not None:
            yield forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set")
        elif with_mode and mode not in (None, "Proxy", "VIP"):
            yield not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP"))
        if host:
            yield from text(host, f"{at}.hostname", dns1123_subdomain)
            if not ip_address(host):
                yield invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address")
