"""Plain scalars of YAML, as a kube-apiserver 1.36 reads them."""

from typing import Any

import pytest
import yaml

from kybern.kube.document_limits import yaml_error
from kybern.kube.go_yaml import GoLoader

SCALARS: dict[str, Any] = {
    "0x10": 16, "0X1F": 31, "0o17": 15, "017": 15, "0b11": 3, "-0b1": -1, "1_000": 1000, "1__0": 10, "+1": 1, "-0": 0,
    "08": 8, "1e3": 1000, "12e03": 12000, "1.": 1, ".5": 0.5, "1.5e+3": 1500, "18446744073709551615": 2**64 - 1,
    "18446744073709551616": 2.0**64, "1e21": 1e21, "1.5": 1.5, "1e1000": "1e1000", "1e": "1e", "._": "._",
    "0x": "0x", "1:30": "1:30", "2020-01-01": "2020-01-01", "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z", "y": True,
    "N": False, "on": True, "Off": False, "yEs": "yEs", "~": None, "Null": None, "=": "=", "<<": "<<", "nan": "nan",
    "!x y": "y", "!!binary YQ==": "a", "!!str 1": "1", "'1'": "1", '"\\x41"': "A", "": None,
}  # fmt: skip


@pytest.mark.parametrize("text", SCALARS)
def test_scalars(text: str) -> None:
    read = yaml.load(f"a: {text}\nb: 1\n", GoLoader)  # a safe loader
    assert read == {"a": SCALARS[text], "b": 1}
    assert type(read["a"]) is type(SCALARS[text])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (".inf", "json: unsupported value: +Inf"),
        ("-.INF", "json: unsupported value: -Inf"),
        (".nan", "json: unsupported value: NaN"),
        ("*b", "yaml: unknown anchor 'b' referenced"),
        ("!!binary a", "yaml: !!binary value contains invalid base64 data"),
    ],
)
def test_refusals(text: str, told: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError)) as caught:
        yaml.load(f"a: {text}\n", GoLoader)  # a safe loader
    assert yaml_error(caught.value, f"a: {text}\n".encode()) == told
