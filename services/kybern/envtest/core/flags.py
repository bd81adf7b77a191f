"""A command line of kube-apiserver, read as pflag reads it.

`--name=value`, `--name value`, and `--name` alone for what is true or false. A flag may come again: lists go on.
"""

from collections.abc import Sequence

from kybern.envtest.core.table import BOOLEANS, VALUES

HELP, VERSION = "help", "version"
SHORT = {"-h": "--help", "-v": "--v"}
Given = dict[str, tuple[str, ...]]  # every value of each flag that was given, in order


class UnknownFlag(ValueError):
    """What kube-apiserver would not start with either."""


def read_flags(arguments: Sequence[str]) -> Given:
    """Raises UnknownFlag."""
    found: dict[str, list[str]] = {}
    left = iter(arguments)
    for argument in left:
        word, equals, value = argument.partition("=")
        word = SHORT.get(word, word)
        name = word.removeprefix("--").replace("_", "-")
        if not word.startswith("--"):
            raise UnknownFlag(f"unknown argument: {argument}")
        if name in BOOLEANS or name in (HELP, VERSION):
            value = value if equals else "true"
        elif name not in VALUES:
            raise UnknownFlag(f"unknown flag: --{name}")
        elif not equals:
            following = next(left, None)
            if following is None:
                raise UnknownFlag(f"flag needs an argument: --{name}")
            value = following
        found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in found.items()}


def last(given: Given, name: str, default: str = "") -> str:
    """The value that counts of a flag that has one."""
    return given.get(name, (default,))[-1]


def help_text() -> str:
    """One flag a line, for people and for envtest, which looks for flags at the beginning of lines."""
    lines = [f"      --{name}{'' if name in BOOLEANS else ' value'}" for name in sorted(BOOLEANS | VALUES)]
    return "\n".join(["Kybern's API with the flags of kube-apiserver.", "", "Flags:", *lines, ""])
