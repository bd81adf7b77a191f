"""--disable-admission-plugins and AdmissionConfiguration files."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from kybern.apiserver.admission.configuration import (
    AdmissionConfiguration,
    add_admission_flags,
    read_admission_configuration,
)
from kybern.apiserver.admission.registry import NAMES, ORDER
from kybern.kube.quota.charge import LimitedResource

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n"
SECURITY = """
defaults: {enforce: baseline, enforce-version: v1.30, warn: restricted}
exemptions: {namespaces: [kube-system], usernames: [root], runtimeClasses: [vm]}
"""


def read(*flags: str) -> AdmissionConfiguration:
    parser = ArgumentParser()
    add_admission_flags(parser)
    return read_admission_configuration(parser.parse_args(flags), NAMES)


def test_without_flags_every_plugin_runs_as_it_is() -> None:
    assert read() == AdmissionConfiguration()
    assert len(NAMES) == len(ORDER)


def test_plugins_that_1_36_enables_are_here() -> None:
    assert {
        "CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction", "DefaultIngressClass",
        "DefaultStorageClass", "DefaultTolerationSeconds", "LimitRanger", "MutatingAdmissionPolicy",
        "MutatingAdmissionWebhook", "NamespaceLifecycle", "PersistentVolumeClaimResize", "PodSecurity",
        "PodTopologyLabels", "Priority", "ResourceQuota", "RuntimeClass", "ServiceAccount",
        "StorageObjectInUseProtection", "TaintNodesByCondition", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionWebhook",
    } <= NAMES  # fmt: skip
    assert ORDER[-1].name == "ResourceQuota"


def test_names_must_be_known() -> None:
    assert read("--disable-admission-plugins", "PodSecurity, Priority").disabled == {"PodSecurity", "Priority"}
    with pytest.raises(ValueError, match="--disable-admission-plugins: unknown plugins: Nonsense"):
        read("--disable-admission-plugins", "Nonsense")


def test_a_file_configures_plugins(tmp_path: Path) -> None:
    (tmp_path / "security.yaml").write_text(SECURITY)
    (tmp_path / "a.yaml").write_text(
        HEAD
        + "plugins:\n- {name: PodSecurity, path: security.yaml}\n"
        + "- {name: ResourceQuota, configuration: {limitedResources: [{resource: pods, matchContains: [cpu]}]}}\n"
    )
    found = read("--admission-control-config-file", str(tmp_path / "a.yaml"))
    assert str(found.pod_security_defaults.enforce) == "baseline:v1.30"
    assert str(found.pod_security_defaults.warn) == "restricted:latest"
    exempt = found.pod_security_exemptions
    assert (exempt.namespaces, exempt.usernames, exempt.runtime_classes) == ({"kube-system"}, {"root"}, {"vm"})
    assert found.limited_resources == (LimitedResource("", "pods", ("cpu",)),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind: Other", "not an AdmissionConfiguration"),
        ("[]", "not an object"),
        (HEAD + "plugins: [{name: PodSecurity, configuration: {defaults: {enforce: strict}}}]", "must be one of"),
        ("a: [", "while parsing"),
    ],
)
def test_files_that_say_nothing(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=why):
        read("--admission-control-config-file", str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(
    "plugins",
    ["5", "[x]", "[{name: PodSecurity}]", "[{name: PodSecurity, configuration: {defaults: x}}]",
     "[{name: ResourceQuota, configuration: {limitedResources: [x]}}]"],
)  # fmt: skip
def test_a_file_of_another_form_is_one_sentence(tmp_path: Path, plugins: str) -> None:
    path = tmp_path / "admission.yaml"
    path.write_text(f"{HEAD}plugins: {plugins}\n")
    with pytest.raises(ValueError, match=r"--admission-control-config-file .*admission.yaml: .* has not the form"):
        read(f"--admission-control-config-file={path}")
