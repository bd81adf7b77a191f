"""What CNI plugins keep on a host for pods, taken back without the plugins: after the runtime has stopped.

libcni keeps a result file for each sandbox, which holds the configuration that made it; portmap keeps a chain for each
sandbox with host ports in iptables' nat table, its name a hash of network and sandbox.
"""

import base64
import hashlib
import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

RESULTS = Path("/var/lib/cni/results")
DNAT, MARK = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT"
HASH_LENGTH = 21  # characters after CNI-DN-, so that the name has 28


def forget_sandboxes(conf_dir: Path) -> None:
    """Remove results and port mappings of the sandboxes made with a configuration whose files are in `conf_dir`."""
    chains = set()
    for path in RESULTS.glob("*") if RESULTS.is_dir() else ():
        with suppress(OSError, ValueError, KeyError, TypeError):
            result = json.loads(path.read_text())
            if str(conf_dir) in base64.b64decode(result["config"]).decode(errors="replace"):
                chains.add(chain_name(result["networkName"], result["containerId"]))
                path.unlink(missing_ok=True)
                for loopback in RESULTS.glob(f"cni-loopback-{result['containerId']}-*"):
                    loopback.unlink(missing_ok=True)
    remove_port_mappings(chains)


def chain_name(network: str, sandbox: str) -> str:
    """portmap's chain for a sandbox."""
    return "CNI-DN-" + hashlib.sha512(f"{network}{sandbox}".encode()).hexdigest()[:HASH_LENGTH]


def remove_port_mappings(chains: set[str]) -> None:
    """Delete these chains of portmap; after the last one, also the frame it made, and iptables' tables if empty."""
    items = nat_table("ip")
    nft(compute_removal(items, chains))
    items = nat_table("ip")
    if not any(name.startswith("CNI-DN-") for name in chain_names(items)):
        nft(compute_frame_removal(items))
    for family in ("ip", "ip6"):
        items = nat_table(family)
        if items and not any("rule" in item for item in items):
            nft([f"delete table {family} nat"])


def compute_removal(items: list[dict[str, Any]], chains: set[str]) -> list[str]:
    """nft commands that delete chains and the rules that jump to them."""
    there = sorted(chains & chain_names(items))
    rules = [item["rule"] for item in items if "rule" in item]
    jumps = [rule for rule in rules if rule["chain"] == DNAT and any(f'"{name}"' in dump(rule) for name in there)]
    commands = [delete_rule(rule) for rule in jumps]
    commands += [f"flush chain ip nat {name}" for name in there]
    return commands + [f"delete chain ip nat {name}" for name in there]


def compute_frame_removal(items: list[dict[str, Any]]) -> list[str]:
    """nft commands that delete what portmap makes once: its chains, and the rules that lead to them."""
    ours = sorted(name for name in chain_names(items) if name.startswith("CNI-"))
    rules = [item["rule"] for item in items if "rule" in item]
    commands = [delete_rule(rule) for rule in rules if rule["chain"] not in ours and MARK in dump(rule)]
    commands += [f"flush chain ip nat {name}" for name in ours]
    return commands + [f"delete chain ip nat {name}" for name in ours]


def delete_rule(rule: dict[str, Any]) -> str:
    """The nft command."""
    return f"delete rule ip nat {rule['chain']} handle {rule['handle']}"


def dump(rule: dict[str, Any]) -> str:
    """The rule's expressions as text."""
    return json.dumps(rule["expr"])


def chain_names(items: list[dict[str, Any]]) -> set[str]:
    """Every chain of a listed table."""
    return {item["chain"]["name"] for item in items if "chain" in item}


def nat_table(family: str) -> list[dict[str, Any]]:
    """iptables' nat table as nft lists it; [] when there is none."""
    line = ["nft", "-j", "list", "table", family, "nat"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    found = json.loads(done.stdout)["nftables"]
    assert isinstance(found, list)
    return found


def nft(commands: list[str]) -> None:
    """One transaction; what is gone already is no matter."""
    if commands:
        text = "".join(f"{command}\n" for command in commands)
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, timeout=30, check=False)
