"""The flags of the controllers, under kube-controller-manager's names."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path


def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--controllers", default="*", help="comma-separated: * (all), a name to add, -name to leave out"
    )
    parser.add_argument(
        "--leader-elect", action=BooleanOptionalAction, default=False, help="run in one of many at once"
    )
    parser.add_argument("--leader-elect-identity", default="", help="name in the lease; random by default")
    parser.add_argument("--root-ca-file", type=Path, default=None, help="published as kube-root-ca.crt everywhere")
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="pod addresses; each node gets a part")
    parser.add_argument("--node-cidr-mask-size", type=int, default=24)
    parser.add_argument("--allocate-node-cidrs", action=BooleanOptionalAction, default=True)
    parser.add_argument("--node-monitor-period", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--node-monitor-grace-period", type=float, default=50.0, metavar="SECONDS")
    parser.add_argument("--terminated-pod-gc-threshold", type=int, default=12500)


def split_controllers(text: str) -> list[str]:
    """The value of --controllers as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def root_ca(options: Namespace) -> str:
    """The certificate to publish: --root-ca-file, by default the cluster's CA in --pki; "" for none."""
    path: Path | None = options.root_ca_file
    if path is None:
        path = Path(options.pki) / "ca.crt"
        if not path.exists():
            return ""
    return path.read_text()
