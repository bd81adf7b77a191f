"""Flags of the audit log become settings, or one sentence."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from kybern.apiserver.audit.flags import AuditSettings, add_audit_flags, read_audit_settings
from kybern.apiserver.core.audit.rotation import Rotation

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"


def read(*flags: str) -> AuditSettings | None:
    parser = ArgumentParser()
    add_audit_flags(parser)
    return read_audit_settings(parser.parse_args(flags))


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return f"--audit-policy-file={path}"


def test_it_takes_a_policy_and_a_place(tmp_path: Path) -> None:
    policy = written(tmp_path, POLICY)
    assert read() is None
    assert read(policy) is None
    assert read("--audit-log-path=-") is None
    found = read(
        policy, "--audit-log-path=-", "--audit-log-maxsize=5", "--audit-log-maxage=3", "--audit-log-maxbackup=2"
    )
    assert found is not None
    assert (found.path, found.rotation) == ("-", Rotation(megabytes=5, days=3, backups=2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (": [", "--audit-policy-file .*policy.yaml: "),
        (POLICY.replace("Metadata", "Loud"), "Unsupported value"),
        (POLICY.replace("{level: Metadata}", "{level: Metadata, resources: [pods]}"), "has not the form"),
        (POLICY + "omitStages: 5\n", "has not the form"),
    ],
)
def test_a_wrong_policy_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(written(tmp_path, text), "--audit-log-path=-")


def test_a_webhook_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--audit-webhook-config-file /none: "):
        read(written(tmp_path, POLICY), "--audit-webhook-config-file=/none")
