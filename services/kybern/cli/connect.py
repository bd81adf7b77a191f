"""A channel to a service of the local cluster with the administrator's certificate."""

import grpc

from kybern.cli.core.layout import Layout
from kybern.pki.source import FileCertificateSource


def admin_channel(layout: Layout, service: str) -> grpc.Channel:
    """An open channel, to be closed by `with`."""
    pair = FileCertificateSource(layout.pki / "admin").current()
    credentials = grpc.ssl_channel_credentials(pair.ca, pair.key, pair.cert)
    options = (("grpc.ssl_target_name_override", f"{service}.kybern"),)
    return grpc.secure_channel(layout.socket(service), credentials, options)
