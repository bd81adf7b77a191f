"""What is wrong with texts that are no addresses."""

import pytest

from kybern.kube.cel.library.addresses import why_no_address

PROBLEMS = {
    "1.2.3.4": "",
    "::": "",
    "fe80::1%eth0": "",
    "::ffff:1.2.3.4": "",
    "x": "unable to parse IP",
    "1.2.3": "IPv4 address too short",
    "1.2.3.4.5": "IPv4 address too long",
    "1.2.3.300": "IPv4 field has value >255",
    "1.2.3.04": "IPv4 field has octet with leading zero",
    "1..2.3": 'IPv4 field must have at least one digit (at ".2.3")',
    "10.0.0.0/8": 'unexpected character (at "/8")',
    "1:2": "address string too short",
    "::1::": 'multiple :: in address (at ":")',
    "12345::": 'each group must have 4 or less digits (at "12345::")',
    "1:2:3:4:5:6:7:8:9": 'trailing garbage after address (at "9")',
    "1:2:3:4:5:6:7::8": "the :: must expand to at least one field of zeros",
    "1.2%x": 'unexpected character (at "%x")',
    "%x": "missing IPv6 address",
}


@pytest.mark.parametrize("text", PROBLEMS)
def test_problems(text: str) -> None:
    assert why_no_address(text) == PROBLEMS[text]
