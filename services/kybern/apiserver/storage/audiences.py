"""Audiences: every watcher of one cache, found by the value that it pins the trigger field to.

A node agent watches the pods of its own node: a change is offered only to those whose value it has or had.
"""

from collections import Counter
from collections.abc import Iterator

from kybern.apiserver.storage.entry import CacheEvent, Convert
from kybern.apiserver.storage.selection import Selection
from kybern.apiserver.storage.watcher import Audience, Watcher

Key = tuple[Selection, Convert | None]


class Audiences:
    """`trigger` is the field by which watchers are found."""

    def __init__(self, trigger: str) -> None:
        self._trigger = trigger
        self.crowd: Counter[tuple[str, str]] = Counter()  # watchers by namespace and name, "" for all
        self._audiences: dict[str | None, dict[Key, Audience]] = {None: {}}  # by pinned value; None: not pinned

    def audience(self, selection: Selection, convert: Convert | None) -> Audience:
        """The audience with this selection; it is offered events once it has members."""
        group = self._audiences.get(selection.pinned(self._trigger), {})
        return group.get((selection, convert)) or Audience(selection, convert)

    def join(self, watcher: Watcher) -> None:
        """Offer the watcher what happens from now on, until it is stopped."""
        audience = watcher.audience
        value, key = audience.selection.pinned(self._trigger), audience.key
        self._audiences.setdefault(value, {})[key] = audience
        audience.join(watcher)
        self.crowd[(audience.selection.namespace, audience.selection.name)] += 1
        watcher.stop = lambda: self._leave(watcher, value)

    def _leave(self, watcher: Watcher, value: str | None) -> None:
        audience = watcher.audience
        if watcher in audience.members:
            self._count_out(audience.selection)
        audience.members.pop(watcher, None)
        group = self._audiences.get(value)
        if group is None or audience.members or group.get(audience.key) is not audience:
            return
        del group[audience.key]
        if not group and value is not None:
            del self._audiences[value]

    def _count_out(self, selection: Selection) -> None:
        at = (selection.namespace, selection.name)
        self.crowd[at] -= 1
        if not self.crowd[at]:
            del self.crowd[at]

    def offer(self, event: CacheEvent) -> None:
        """Tell those whom the event may concern."""
        audiences = self._audiences
        for audience in tuple(audiences[None].values()):
            audience.offer(event)
        if len(audiences) > 1:
            values = {event.entry.field(self._trigger)}
            if event.prev is not None:
                values.add(event.prev.field(self._trigger))
            for value in values:
                for audience in tuple(audiences.get(value, {}).values()):
                    audience.offer(event)
        event.offered()

    def __iter__(self) -> Iterator[Watcher]:
        for group in list(self._audiences.values()):
            for audience in list(group.values()):
                yield from tuple(audience.members)

    def end(self) -> None:
        """Cut every watcher off."""
        for watcher in self:
            watcher.end()
