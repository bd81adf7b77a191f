"""Request bodies and query parameters."""

import orjson
import pytest

from kybern.gateway.core import bodies, options, yaml_output
from kybern.kube.status import StatusError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1\nb: [x, z]", {"a": 1, "b": ["x", "z"]}),
        ("when: 2026-01-01T00:00:00Z", {"when": "2026-01-01T00:00:00Z"}),
        ("port: '80'\non: true", {"port": "80", "true": True}),
        ("1: a", {"1": "a"}),
        ('{"json": "too"}', {"json": "too"}),
        ("data: !!binary aGk=", {"data": "hi"}),
    ],
)
def test_yaml_becomes_json(text: str, wanted: object) -> None:
    assert orjson.loads(bodies.yaml_to_json(text.encode())) == wanted


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "a: *b", "a: !!binary x", "\x00"])
def test_bad_yaml_is_told_in_its_own_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^yaml: "):
        bodies.yaml_to_json(text.encode())


def test_json_becomes_yaml_and_back() -> None:
    document = {"b": ["x: y", None, 1.5], "a": "text\nmore"}
    assert orjson.loads(bodies.yaml_to_json(yaml_output.json_to_yaml(orjson.dumps(document)))) == document


def test_media_types_of_bodies() -> None:
    for good in ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"):
        bodies.check_body_type(good)
    assert bodies.patch_type("application/apply-patch+yaml; charset=utf-8", False) == bodies.APPLY
    for bad in ("text/plain", "text/json", "text/yaml", "application/x-yaml"):
        with pytest.raises(StatusError) as caught:
            bodies.check_body_type(bad)
        assert caught.value.code == 415
    for custom in (False, True):
        with pytest.raises(StatusError) as caught:
            bodies.patch_type("application/json", custom)
        assert caught.value.code == 415


@pytest.mark.parametrize(
    ("pretty", "agent", "wanted"),
    [
        ("", "kubectl/v1", False),
        ("", "curl/8", True),
        ("false", "curl/8", False),
        ("true", "kubectl", True),
        ("1", "", True),
    ],
)
def test_indentation(pretty: str, agent: str, wanted: bool) -> None:
    assert bodies.wants_indent(pretty, agent) is wanted


def test_reading_parameters() -> None:
    query = {"watch": ["1"], "limit": ["5"], "dryRun": ["All"], "force": ["false"], "x": [""]}
    assert options.boolean(query, "watch")
    assert not options.boolean(query, "force")
    assert options.boolean(query, "x")
    assert not options.boolean(query, "absent")
    assert options.integer(query, "limit") == 5
    assert options.integer(query, "absent") is None
    assert options.dry_run(query)
    assert options.field_manager({}, "kubectl/v1.36.0 (linux/amd64)") == "kubectl"
    assert options.field_manager({"fieldManager": ["me"]}, "kubectl/v1") == "me"


INTEGERS = {"0": 0, "-1": -1, "+7": 7, str((1 << 63) - 1): (1 << 63) - 1, str(-(1 << 63)): -(1 << 63)}


@pytest.mark.parametrize("text", INTEGERS)
def test_integers(text: str) -> None:
    assert options.integer({"limit": [text]}, "limit") == INTEGERS[text]


@pytest.mark.parametrize("text", ["1_000", " 5", "5 ", "²", "٣", "1.5", "0x5", "--1", "+"])
def test_what_go_reads_as_no_integer(text: str) -> None:
    with pytest.raises(StatusError, match="invalid syntax"):
        options.integer({"limit": [text]}, "limit")


@pytest.mark.parametrize("text", [str(1 << 63), str(-(1 << 63) - 1), "9" * 20, "9" * 5000])
def test_integers_that_are_too_large(text: str) -> None:
    with pytest.raises(StatusError, match="value out of range"):
        options.integer({"limit": [text]}, "limit")


@pytest.mark.parametrize(
    "read",
    [
        lambda: options.integer({"limit": ["many"]}, "limit"),
        lambda: options.delete_options({}, b"[1]"),
        lambda: options.delete_options({}, b"{"),
    ],
)
def test_bad_parameters_are_bad_requests(read) -> None:
    with pytest.raises(StatusError) as caught:
        read()
    assert caught.value.code == 400


WRITES = {
    "none": ({}, "", []),
    "dry run": ({"dryRun": ["Some"]}, "", ['dryRun: Unsupported value: ["Some"]: supported values: "All"']),
    "validation": (
        {"fieldValidation": ["Harsh"]},
        "",
        ['fieldValidation: Unsupported value: "Harsh": supported values: "", "Ignore", "Strict", "Warn"'],
    ),
    "apply without a manager": ({}, options.APPLY, ["fieldManager: Required value: is required for apply patch"]),
    "apply by force": ({"force": ["true"], "fieldManager": ["me"]}, options.APPLY, []),
    "force without apply": (
        {"force": ["true"]},
        "application/merge-patch+json",
        ["force: Forbidden: may not be specified for non-apply patch"],
    ),
}


@pytest.mark.parametrize(("query", "patch_type", "wanted"), WRITES.values(), ids=WRITES.keys())
def test_options_of_writes(query: dict[str, list[str]], patch_type: str, wanted: list[str]) -> None:
    if not wanted:
        options.check_write(query, "PatchOptions", patch_type)
        return
    with pytest.raises(StatusError) as caught:
        options.check_write(query, "PatchOptions", patch_type)
    assert caught.value.code == 422
    assert caught.value.message == f'PatchOptions.meta.k8s.io "" is invalid: {", ".join(wanted)}'


@pytest.mark.parametrize(
    ("query", "body", "wanted"),
    [
        ({}, b"", None),
        ({"dryRun": ["All"]}, b"{}", {}),
        (
            {"gracePeriodSeconds": ["0"], "propagationPolicy": ["Foreground"]},
            b"",
            {"gracePeriodSeconds": 0, "propagationPolicy": "Foreground"},
        ),
        ({"gracePeriodSeconds": ["9"]}, b'{"gracePeriodSeconds": 1}', {"gracePeriodSeconds": 1}),
        ({"dryRun": ["All"]}, b"", {"dryRun": ["All"]}),
        ({"uid": ["u"], "resourceVersion": [""]}, b"", {"preconditions": {"uid": "u"}}),
        ({}, b'{"kind":"DeleteOptions","apiVersion":"x/v1"}', {"kind": "DeleteOptions", "apiVersion": "x/v1"}),
    ],
)
def test_delete_options(query: dict[str, list[str]], body: bytes, wanted: object) -> None:
    found = options.delete_options(query, body)
    assert (orjson.loads(found) if found else None) == wanted


REPEATED = {
    "none": ("a: 1\nb: {a: 2}", []),
    "JSON without": ('{"a": {"a": 1}}', []),
    "once": ("spec:\n  foo: 1\n  foo: 2\n", ['line 3: key "foo" already set in map']),
    "inner before outer": (
        "a: 1\na:\n  - b: 1\n    b: 2\n",
        ['line 4: key "b" already set in map', 'line 3: key "a" already set in map'],
    ),
    "JSON": ('{"a": 1, "a": 2}', ['line 1: key "a" already set in map']),
    "not YAML": ("a: [", []),
}


@pytest.mark.parametrize("case", REPEATED)
def test_keys_given_twice(case: str) -> None:
    text, wanted = REPEATED[case]
    found = bodies.strict_errors(text.encode())
    assert found == wanted
