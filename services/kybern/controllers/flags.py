"""The flags of the controllers, under kube-controller-manager's names."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

from kybern.pki.token_keys import TokenKeys


def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--controllers", default="*", help="comma-separated: * (all), a name to add, -name to leave out"
    )
    parser.add_argument(
        "--leader-elect", action=BooleanOptionalAction, default=False, help="run in one of many at once"
    )
    parser.add_argument("--leader-elect-identity", default="", help="name in the lease; random by default")
    parser.add_argument("--root-ca-file", type=Path, default=None, help="published as kube-root-ca.crt everywhere")
    parser.add_argument(
        "--master",
        default="",
        metavar="HOST:PORT",
        help="where metrics APIs are read; the kubernetes Service's by default",
    )
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="pod addresses; each node gets a part")
    parser.add_argument("--node-cidr-mask-size", type=int, default=24)
    parser.add_argument("--allocate-node-cidrs", action=BooleanOptionalAction, default=True)
    parser.add_argument("--node-monitor-period", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--node-monitor-grace-period", type=float, default=50.0, metavar="SECONDS")
    parser.add_argument("--cluster-signing-cert-file", type=Path, default=None, help="the CA that signs certificates")
    parser.add_argument("--cluster-signing-key-file", type=Path, default=None, help="its key")
    parser.add_argument("--cluster-signing-duration", default="8760h0m0s", help="the longest life of a certificate")
    parser.add_argument(
        "--service-account-private-key-file", type=Path, default=None, help="signs tokens in Secrets; without it: none"
    )
    parser.add_argument(
        "--legacy-service-account-token-clean-up-period",
        default="8760h0m0s",
        help="how long a token that was made unasked may go unused",
    )
    parser.add_argument("--terminated-pod-gc-threshold", type=int, default=12500)


def split_controllers(text: str) -> list[str]:
    """The value of --controllers as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def signing_files(options: Namespace) -> tuple[Path, Path] | None:
    """Certificate and key of the CA that signs; None if there is none."""
    cert, key = options.cluster_signing_cert_file, options.cluster_signing_key_file
    return (cert, key) if cert is not None and key is not None else None


def token_keys(options: Namespace) -> TokenKeys | None:
    """What signs tokens in Secrets; None if nothing does. Raises OSError, ValueError."""
    path: Path | None = options.service_account_private_key_file
    return TokenKeys.read(path) if path is not None else None


def root_ca(options: Namespace) -> str:
    """The certificate to publish: --root-ca-file, by default the cluster's CA in --pki; "" for none."""
    path: Path | None = options.root_ca_file
    if path is None:
        path = Path(options.pki) / "ca.crt"
        if not path.exists():
            return ""
    return path.read_text()
