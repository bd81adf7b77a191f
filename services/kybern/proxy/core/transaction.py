"""From one state of the table to another with the fewest commands.

`Table` is what the kernel holds after the last transaction. Fragments of several Services may share elements (a pod
behind two Services): an element lives as long as anyone wants it.
"""

from collections import Counter

from kybern.proxy.core.rules import TABLE, Fragment, base

EMPTY = Fragment()
T = f"ip {TABLE}"


class Table:
    """The desired rules by Service, and the commands that lead to them."""

    def __init__(self, cluster_cidr: str) -> None:
        self._cluster_cidr = cluster_cidr
        self.fragments: dict[str, Fragment] = {}
        self._uses: Counter[tuple[str, str]] = Counter()

    def change(self, changes: dict[str, Fragment]) -> str:
        """Take over new fragments by Service (an empty one removes it); the commands as one nft text, "" for none."""
        before, after = Counter(self._uses), self._uses
        making, filling, emptying, removing = [], [], [], []
        for service, new in sorted(changes.items()):
            old = self.fragments.get(service, EMPTY)
            if old == new:
                continue
            self._remember(service, new)
            after.subtract(old.elements)
            after.update(new.elements)
            chains = diff_chains(old, new)
            making += chains.making
            filling += chains.filling
            emptying += chains.emptying
            removing += chains.removing
        gone = sorted(e for e in before if before[e] > 0 >= after[e])
        come = sorted(e for e in after if after[e] > 0 >= before[e])
        self._uses = +after
        elements = [f"delete element {T} {name} {{ {key_of(e)} }}" for name, e in gone]
        elements += [f"add element {T} {name} {{ {e} }}" for name, e in come]
        return "".join(line + "\n" for line in [*making, *emptying, *filling, *elements, *removing])

    def _remember(self, service: str, fragment: Fragment) -> None:
        if fragment == EMPTY:
            self.fragments.pop(service, None)
        else:
            self.fragments[service] = fragment

    def whole(self) -> str:
        """Commands that replace whatever the kernel holds by the desired table, in one transaction."""
        fresh = Table(self._cluster_cidr)
        return f"add table {T}\ndelete table {T}\nadd table {T}\n{base(self._cluster_cidr)}" + fresh.change(
            dict(self.fragments)
        )


REMOVE = f"add table {T}\ndelete table {T}\n"


def key_of(element: str) -> str:
    """The key of a map's element, which is what deletes it; a set's element is its own key."""
    return element.partition(" : ")[0]


class ChainCommands:
    """Commands in the order in which references allow them."""

    def __init__(self) -> None:
        self.making: list[str] = []
        self.filling: list[str] = []
        self.emptying: list[str] = []
        self.removing: list[str] = []


def diff_chains(old: Fragment, new: Fragment) -> ChainCommands:
    """What becomes of the chains and the sets of one Service."""
    commands = ChainCommands()
    for name, definition in new.sets.items():
        if old.sets.get(name) != definition:
            commands.making.append(f"add set {T} {name} {definition}")
    for name, rules in new.chains.items():
        if name not in old.chains:
            commands.making.append(f"add chain {T} {name}")
        elif old.chains[name] != rules:
            commands.emptying.append(f"flush chain {T} {name}")
        if old.chains.get(name) != rules:
            commands.filling += [f"add rule {T} {name} {rule}" for rule in rules]
    dead = [name for name in old.chains if name not in new.chains]
    commands.emptying += [f"flush chain {T} {name}" for name in dead]
    commands.removing += [f"delete chain {T} {name}" for name in dead]
    commands.removing += [f"delete set {T} {name}" for name in old.sets if name not in new.sets]
    return commands
