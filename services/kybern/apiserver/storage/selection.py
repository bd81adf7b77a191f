"""Selection: which objects a list or watch is about, as one cheap predicate over entries."""

from collections.abc import Mapping
from dataclasses import dataclass

from kybern.apiserver.storage.entry import Entry
from kybern.kube import field_selectors, selectors
from kybern.kube.field_selectors import FieldSelector
from kybern.kube.selectors import Selector


@dataclass(frozen=True, slots=True)
class Selection:
    """A namespace ("" = all), a name ("" = all), labels and fields."""

    namespace: str = ""
    name: str = ""
    labels: Selector = selectors.EVERYTHING
    fields: FieldSelector = field_selectors.EVERY_FIELD

    @property
    def plain(self) -> bool:
        """True if only the namespace limits it."""
        return not self.name and self.labels.empty and self.fields.empty

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is selected."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        if self.name and entry.name != self.name:
            return False
        for requirement in self.fields.requirements:
            if (entry.field(requirement.field) == requirement.value) is requirement.negated:
                return False
        return self.labels.empty or self.labels.matches(entry.labels)

    def pinned(self, label: str) -> str | None:
        """The one value that the selection allows for a field, if it does."""
        if label == "metadata.name" and self.name:
            return self.name
        return self.fields.exact(label)


def renamed(fields: FieldSelector, names: Mapping[str, str]) -> FieldSelector:
    """The selector with aliases replaced by the storage version's names."""
    if not names or fields.empty:
        return fields
    return FieldSelector(
        tuple(
            field_selectors.FieldRequirement(names.get(r.field, r.field), r.value, r.negated)
            for r in fields.requirements
        )
    )
