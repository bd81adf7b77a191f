"""CustomResourceDefinitions of apiextensions.k8s.io/v1beta1, as they may still be stored: what they are in v1.

What v1beta1 says once for all versions, v1 says for each.
"""

from typing import Any

Object = dict[str, Any]
GROUP_VERSION = "apiextensions.k8s.io/v1beta1"
_FOR_ALL = ("version", "validation", "subresources", "additionalPrinterColumns", "conversion")


def as_v1(definition: Object) -> Object:
    """The same definition in v1; `definition` stays as it is."""
    spec = definition.get("spec") or {}
    new = {name: value for name, value in spec.items() if name not in _FOR_ALL}
    new["preserveUnknownFields"] = spec.get("preserveUnknownFields") is not False
    versions = spec.get("versions") or [{"name": spec.get("version", ""), "served": True, "storage": True}]
    new["versions"] = [_version(version, spec) for version in versions]
    new["conversion"] = _conversion(spec.get("conversion") or {})
    new["names"] = _names(spec.get("names") or {})
    return {**definition, "apiVersion": "apiextensions.k8s.io/v1", "spec": new}


def _names(names: Object) -> Object:
    kind = names.get("kind", "")
    return {
        **names,
        "singular": names.get("singular") or kind.lower(),
        "listKind": names.get("listKind") or f"{kind}List",
    }


def _version(version: Object, spec: Object) -> Object:
    found = {name: value for name, value in version.items() if name != "additionalPrinterColumns"}
    if "schema" not in found and spec.get("validation") is not None:
        found["schema"] = spec["validation"]
    if "subresources" not in found and spec.get("subresources") is not None:
        found["subresources"] = spec["subresources"]
    columns = version.get("additionalPrinterColumns") or spec.get("additionalPrinterColumns") or ()
    if columns:
        found["additionalPrinterColumns"] = [_column(column) for column in columns]
    return found


def _column(column: Object) -> Object:
    return {"jsonPath" if name == "JSONPath" else name: value for name, value in column.items()}


def _conversion(conversion: Object) -> Object:
    found: Object = {"strategy": conversion.get("strategy") or "None"}
    if conversion.get("webhookClientConfig") is not None or conversion.get("conversionReviewVersions"):
        found["webhook"] = {"conversionReviewVersions": conversion.get("conversionReviewVersions") or ["v1beta1"]}
        if conversion.get("webhookClientConfig") is not None:
            found["webhook"]["clientConfig"] = conversion["webhookClientConfig"]
    return found
