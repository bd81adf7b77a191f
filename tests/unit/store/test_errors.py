"""The wording users see."""

import pytest

from kybern.store.errors import CompactedError, FutureRevisionError, StoreError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CompactedError(3, 9), "required revision 3 has been compacted (compact revision: 9)"),
        (CompactedError(3), "required revision 3 has been compacted"),
        (FutureRevisionError(9, 3), "required revision 9 is a future revision (current revision: 3)"),
    ],
)
def test_wording(error: StoreError, text: str) -> None:
    assert str(error) == text
