"""Configuration files come as people write them: what has another shape than it must have is told in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def well_formed(what: str) -> Iterator[None]:
    """Around the reading of a document that was parsed. Raises ValueError where one part is not what another is."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{what} has not the form that it must have: {error}") from error
