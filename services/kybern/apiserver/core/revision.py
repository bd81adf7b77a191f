"""resourceVersion as clients send it: opaque to them, to this server the number of a revision."""

from kybern.kube.status import bad_request

LARGEST = (1 << 63) - 1


def revision_of(text: str) -> int:
    """Raises StatusError (400) for what no server has ever sent."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST):
        raise bad_request(f'invalid resource version "{text}"')
    return int(text)
