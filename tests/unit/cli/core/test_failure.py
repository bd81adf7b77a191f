"""The newest error of a log as a sentence."""

import pytest

from kybern.cli.core.failure import explain

INFO = '{"level": "info", "message": "serving"}'


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("", ""),
        (INFO, ""),
        ('{"level": "error", "message": "port 53 is taken"}\n' + INFO, "port 53 is taken"),
        ('{"level": "error", "message": "old"}\n{"level": "error", "message": "new"}\n\n', "new"),
        ('{"level": "error", "message": "crashed", "exception": "Trace\\n  | ValueError: no\\n"}', "ValueError: no"),
        ('{"level": "error", "message": "x"}\n[1]\n7', "x"),
        ("Traceback\nModuleNotFoundError: no grpc\n", "ModuleNotFoundError: no grpc"),
    ],
)
def test_sentence(log: str, sentence: str) -> None:
    assert explain(log) == sentence
