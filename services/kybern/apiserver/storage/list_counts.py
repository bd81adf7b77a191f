"""What is counted of the lists of one resource: how many, how many objects were looked at and shown, how fresh."""

from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, ListRequest


class ListCounts:
    """Plain numbers, read at a scrape. A list that a client holds already shows it nothing."""

    __slots__ = ("fetched", "fresh", "initial", "lists", "loaded", "returned")

    def __init__(self) -> None:
        self.lists = self.fetched = self.returned = 0  # from the cache
        self.fresh = 0  # of them those that had to show every acknowledged write
        self.initial = 0  # objects that watches began with
        self.loaded = 0  # objects read from the store when everything was

    def began(self, message: ListRequest | DeleteCollectionRequest) -> None:
        """One more list."""
        self.lists += 1
        self.fresh += not message.resource_version and not message.continue_token

    def found(self, shown: int, looked_at: int = 0) -> None:
        """So many objects were shown, of those that were looked at if these are more."""
        self.returned += shown
        self.fetched += looked_at or shown
