"""Defaults by annotation: the object of a kind that an administrator has marked."""

from kybern.apiserver.registry.request import Request


def newest_default(request: Request, group: str, resource: str, annotation: str) -> str:
    """The newest object that an annotation marks as the default; of equally new ones the first by name; "" if none."""
    found = []
    for entry in request.server.table.cacher(group, resource).entries.values():
        metadata = entry.decode()["metadata"]
        if (metadata.get("annotations") or {}).get(annotation) == "true":
            found.append((metadata["creationTimestamp"], entry.name))
    if not found:
        return ""
    newest = max(created for created, _ in found)
    return min(name for created, name in found if created == newest)
