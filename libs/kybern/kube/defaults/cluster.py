"""Defaults of namespaces, secrets, RBAC, admission, extension, scheduling, quota, flow control and device kinds."""

import base64
from typing import Any

from kybern.kube.defaults.amounts import thousandths
from kybern.kube.defaults.rules import Function, Object, Rules, child, rule

_ADMISSION = "io.k8s.api.admissionregistration.v1."
_CORE = "io.k8s.api.core.v1."
_CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_DEVICES = "io.k8s.api.resource.v1."
_FLOW = "io.k8s.api.flowcontrol.v1."
_RBAC = "io.k8s.api.rbac.v1."
RBAC_GROUP = "rbac.authorization.k8s.io"


def _namespace_label(namespace: Object) -> None:
    metadata = child(namespace, "metadata")
    if metadata.get("name"):
        labels = metadata.get("labels") or {}
        metadata["labels"] = {**labels, "kubernetes.io/metadata.name": metadata["name"]}


def _secret_text(secret: Object) -> None:
    """`stringData` is write-only: its entries replace those of `data`."""
    texts = secret.pop("stringData", None)
    if texts:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _subject_group(subject: Object) -> None:
    if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
        subject["apiGroup"] = RBAC_GROUP


def _limit_range_item(item: Object) -> None:
    """For containers a maximum is the default limit, and that (or the minimum) the default request."""
    if item.get("type") != "Container":
        return
    default = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
    if default:
        item["default"] = default
    if request:
        item["defaultRequest"] = request


def _node_ranges(spec: Object) -> None:
    """`podCIDR` is the first of `podCIDRs`; where they say different things, it is the one."""
    first, every = spec.get("podCIDR"), spec.get("podCIDRs") or []
    if first and (not every or every[0] != first):
        spec["podCIDRs"] = [first]
    elif every and every[0]:
        spec["podCIDR"] = every[0]


def _node_allocatable(status: Object) -> None:
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _crd_names(names: Object) -> None:
    kind = names.get("kind") or ""
    if kind:
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind"):
            names["listKind"] = f"{kind}List"


def _preemption(priority_class: Object) -> None:
    priority_class.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _absent(**constants: Any) -> Function:
    """Fills what is absent, not what is empty."""

    def fill(obj: Object) -> None:
        for name, value in constants.items():
            if obj.get(name) is None:
                obj[name] = dict(value) if isinstance(value, dict) else value

    return fill


_WEBHOOK: Object = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
            "timeoutSeconds": 10}  # fmt: skip
_DEVICE_REQUEST: Object = {"allocationMode": "ExactCount"}


def _device_count(request: Object) -> None:
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1


def _stored_versions(definition: Object) -> None:
    """Until anything else is known, what is stored is of the storage version."""
    stored = [version.get("name") for version in definition["spec"].get("versions") or () if version.get("storage")]
    if stored and not definition["status"].get("storedVersions"):
        definition["status"]["storedVersions"] = stored[:1]


RULES: Rules = {
    _CORE + "Namespace": rule(_namespace_label),
    _CORE + "Secret": rule(_secret_text, type="Opaque"),
    _CORE + "LimitRangeItem": rule(
        thousandths("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"), _limit_range_item
    ),
    _CORE + "NodeSpec": rule(_node_ranges),
    _CORE + "NodeStatus": rule(thousandths("capacity", "allocatable"), _node_allocatable),
    _CORE + "ResourceQuotaSpec": rule(thousandths("hard")),
    _CORE + "ResourceQuotaStatus": rule(thousandths("hard", "used")),
    _RBAC + "ClusterRoleBinding": rule(roleRef={}),
    _RBAC + "RoleBinding": rule(roleRef={}),
    _RBAC + "RoleRef": rule(apiGroup=RBAC_GROUP),
    _RBAC + "Subject": rule(_subject_group),
    _ADMISSION + "MutatingWebhook": rule(_absent(reinvocationPolicy="Never", **_WEBHOOK)),
    _ADMISSION + "ValidatingWebhook": rule(_absent(**_WEBHOOK)),
    _ADMISSION + "RuleWithOperations": rule(_absent(scope="*")),
    _ADMISSION + "NamedRuleWithOperations": rule(_absent(scope="*")),
    _ADMISSION + "ServiceReference": rule(port=443),
    _ADMISSION + "MatchResources": rule(_absent(matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})),
    _ADMISSION + "ValidatingAdmissionPolicySpec": rule(_absent(failurePolicy="Fail")),
    _ADMISSION + "MutatingAdmissionPolicySpec": rule(_absent(failurePolicy="Fail")),
    _CRD + "CustomResourceDefinition": rule(_stored_versions),
    _CRD + "CustomResourceDefinitionSpec": rule(conversion={"strategy": "None"}),
    _CRD + "CustomResourceDefinitionNames": rule(_crd_names),
    _CRD + "ServiceReference": rule(port=443),
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": rule(port=443),
    "io.k8s.api.scheduling.v1.PriorityClass": rule(_preemption),
    "io.k8s.api.authentication.v1.TokenRequestSpec": rule(expirationSeconds=3600),
    _FLOW + "FlowSchema": rule(spec={}),
    _FLOW + "FlowSchemaSpec": rule(zero_is_absent=True, matchingPrecedence=1000),
    _FLOW + "LimitedPriorityLevelConfiguration": rule(nominalConcurrencyShares=30, lendablePercent=0),
    _FLOW + "ExemptPriorityLevelConfiguration": rule(nominalConcurrencyShares=0, lendablePercent=0),
    _FLOW + "QueuingConfiguration": rule(zero_is_absent=True, queues=64, handSize=8, queueLengthLimit=50),
    _DEVICES + "ExactDeviceRequest": rule(_device_count, **_DEVICE_REQUEST),
    _DEVICES + "DeviceSubRequest": rule(_device_count, **_DEVICE_REQUEST),
}
