"""What several flags say together."""

from argparse import ArgumentParser

import pytest

from kybern.apiserver.service import add_flags, read_settings


@pytest.mark.parametrize(
    ("flags", "enabled"),
    [
        ([], True),
        (["--anonymous-auth=false"], False),
        (["--authorization-mode=RBAC"], True),
        (["--authorization-mode=AlwaysAllow"], False),
        (["--authorization-mode=AlwaysAllow,RBAC", "--anonymous-auth=true"], False),
    ],
    ids=str,
)
def test_nobody_is_not_to_do_everything(flags: list[str], enabled: bool) -> None:
    parser = ArgumentParser()
    add_flags(parser)
    settings = read_settings(parser.parse_args(["--store=sqlite::memory:", *flags]))
    assert settings.authentication.anonymous.enabled is enabled
