"""resourceVersion as clients send it: opaque to them, to this server the number of a revision."""

from kybern.kube.go_values import quoted
from kybern.kube.status import bad_request

LARGEST = (1 << 63) - 1
IN_LIST = "invalid resource version: "


def revision_of(text: str, where: str = IN_LIST) -> int:
    """Raises StatusError (400) for what no server has ever sent; `where` opens the message."""
    if text.isascii() and text.isdigit():
        if len(text) <= 4 * len(str(LARGEST)) and (number := int(text)) <= LARGEST:
            return number
        why = "value out of range"
    else:
        why = "invalid syntax"
    shown = quoted(text)
    raise bad_request(f"{where}resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: {why}")
