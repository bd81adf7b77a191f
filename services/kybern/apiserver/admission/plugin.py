"""What an admission plugin is: told of writes that concern it, it changes the object or refuses the write."""

from typing import Any

from kybern.apiserver.registry.request import Request

Object = dict[str, Any]
CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Plugin:
    """Every method raises StatusError to refuse. `new` is None for DELETE, `old` is None for CREATE."""

    name = ""
    concerns: frozenset[tuple[str, str]] = frozenset()  # (group, resource) that it is called for; empty: for all

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        """Change `new` in place."""

    async def before_delete(self, request: Request, old: Object) -> None:
        """Mutating admission of a deletion: it may be refused, there is nothing to change."""

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Look, but do not touch."""
