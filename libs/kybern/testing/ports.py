"""TCP ports for servers that want to be told one."""

from kybern.runtime.ports import free_ports

__all__ = ["free_ports"]
