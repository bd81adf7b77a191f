"""The audit log's flags, with Kubernetes' names."""

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from kybern.apiserver.audit.backend import Backend, FileBackend
from kybern.apiserver.audit.log import AuditLog
from kybern.apiserver.audit.webhook import Batching, WebhookBackend
from kybern.apiserver.core.audit.policy import Policy, PolicyInvalid, read_policy
from kybern.apiserver.core.audit.rotation import Rotation
from kybern.apiserver.core.well_formed import well_formed
from kybern.apiserver.webhooks.client import WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote, read_kubeconfig


@dataclass(frozen=True)
class AuditSettings:
    """What is recorded and where it goes."""

    policy: Policy
    path: str = ""
    rotation: Rotation = field(default_factory=Rotation)
    webhook: Remote | None = None
    batching: Batching = field(default_factory=Batching)

    def open(
        self, now: Callable[[], datetime], log: logging.Logger, registry: CollectorRegistry, client: WebhookClient
    ) -> AuditLog:
        """The log with its backends, which the caller runs."""
        backends: list[Backend] = []
        if self.path:
            backends.append(FileBackend(self.path, self.rotation, now, log))
        if self.webhook is not None:
            backends.append(WebhookBackend(self.webhook, self.batching, client, log))
        return AuditLog(self.policy, backends, registry)


def add_audit_flags(parser: ArgumentParser) -> None:
    """Flags of the audit log."""
    add = parser.add_argument_group("audit").add_argument
    add("--audit-policy-file", default="", metavar="FILE", help="audit.k8s.io/v1 Policy: what is recorded")
    add("--audit-log-path", default="", metavar="FILE", help="where events go, a line of JSON each; - is stdout")
    add("--audit-log-maxsize", type=int, default=0, metavar="MB", help="size at which the file is put aside")
    add("--audit-log-maxbackup", type=int, default=0, metavar="N", help="old files to keep; 0: all")
    add("--audit-log-maxage", type=int, default=0, metavar="DAYS", help="days to keep old files; 0: for ever")
    add("--audit-webhook-config-file", default="", metavar="FILE", help="kubeconfig of the webhook that takes events")
    add("--audit-webhook-batch-max-size", type=int, default=400, metavar="N", help="events in one request")
    add("--audit-webhook-batch-max-wait", type=float, default=30.0, metavar="SECONDS", help="to wait for a full batch")
    add("--audit-webhook-initial-backoff", type=float, default=10.0, metavar="SECONDS", help="before a second attempt")


def read_audit_settings(options: Namespace) -> AuditSettings | None:
    """None without a policy or without a place for events. Raises ValueError with a sentence."""
    if not options.audit_policy_file or not (options.audit_log_path or options.audit_webhook_config_file):
        return None
    try:
        with well_formed("the policy"):
            policy = read_policy(yaml.safe_load(Path(options.audit_policy_file).read_text()))
    except (OSError, ValueError, yaml.YAMLError, PolicyInvalid) as error:
        raise ValueError(f"--audit-policy-file {options.audit_policy_file}: {error}") from error
    webhook = None
    if options.audit_webhook_config_file:
        try:
            webhook = read_kubeconfig(Path(options.audit_webhook_config_file))
        except (OSError, ValueError) as error:
            raise ValueError(f"--audit-webhook-config-file {options.audit_webhook_config_file}: {error}") from error
    return AuditSettings(
        policy,
        options.audit_log_path,
        Rotation(options.audit_log_maxsize, options.audit_log_maxage, options.audit_log_maxbackup),
        webhook,
        Batching(
            most=options.audit_webhook_batch_max_size,
            wait=options.audit_webhook_batch_max_wait,
            backoff=options.audit_webhook_initial_backoff,
        ),
    )
