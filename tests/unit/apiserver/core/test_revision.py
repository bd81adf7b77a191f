import pytest

from kybern.apiserver.core.revision import LARGEST, revision_of
from kybern.kube.status import StatusError


@pytest.mark.parametrize("number", [0, 1, 12345, LARGEST])
def test_what_a_server_has_sent(number: int) -> None:
    assert revision_of(str(number)) == number


@pytest.mark.parametrize("text", ["", " 1", "+1", "-1", "1_000", "0x1", "²", "٣", str(LARGEST + 1), "9" * 5000])
def test_what_none_has_sent(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        revision_of(text)
    assert caught.value.code == 400
    shown = caught.value.message.removeprefix("invalid resource version: resourceVersion: Invalid value: ")
    assert shown.startswith(f'"{text}": strconv.ParseUint: parsing "{text}": ')
