"""Accept headers that real clients send, and what they get."""

import pytest

from kybern.gateway.core.negotiation import (
    MediaType,
    accepts_gzip,
    content_type,
    negotiate,
    negotiate_discovery,
    negotiate_status,
)

TABLE = MediaType(view="Table", version="v1")
KUBECTL_GET = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
KUBECTL_DISCOVERY = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
PROTOBUF = MediaType(protobuf=True)
METADATA_CLIENT = (
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
)
CASES = [
    ("", MediaType()),
    ("*/*", MediaType()),
    ("application/json", MediaType()),
    ("application/json, */*", MediaType()),
    ("application/yaml", MediaType(yaml=True)),
    ("application/json;q=0.1, application/yaml", MediaType(yaml=True)),
    ("application/vnd.kubernetes.protobuf,application/json", PROTOBUF),
    ("application/json,application/vnd.kubernetes.protobuf", MediaType()),
    ("application/vnd.kubernetes.protobuf;q=0.5,application/json", MediaType()),
    ("application/vnd.kubernetes.protobuf;q=0.5,application/yaml;q=0.4", PROTOBUF),
    ("application/vnd.kubernetes.protobuf;stream=watch", MediaType(stream=True, protobuf=True)),
    ("application/vnd.kubernetes.protobuf;stream=other,application/json", MediaType()),
    ("application/yaml;stream=watch,application/json", MediaType()),
    (METADATA_CLIENT, MediaType(view="PartialObjectMetadata", version="v1", protobuf=True)),
    ("application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1", None),
    (f"application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,{KUBECTL_GET}", TABLE),
    ("application/json;v=v1,application/yaml", MediaType(yaml=True)),
    (KUBECTL_GET, TABLE),
    ("application/json;as=Table;g=meta.k8s.io;v=v1", TABLE),
    ("application/json;as=Table;g=meta.k8s.io;v=v9,application/json", MediaType()),
    (
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        MediaType(view="PartialObjectMetadataList", version="v1"),
    ),
    ("application/json;stream=watch", MediaType(stream=True)),
    ("application/vnd.kubernetes.protobuf", PROTOBUF),
    ("text/html", None),
    ("application/json;q=0", MediaType()),  # upstream knows no refusal
    ("*/*, application/yaml", MediaType(yaml=True)),
    ("*/*, application/yaml;q=0.1", MediaType(yaml=True)),
    ("application/yaml;q=0.1, */*", MediaType()),
    ("application/*, application/vnd.kubernetes.protobuf", PROTOBUF),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", MediaType()),
    (", ;q=1,application/yaml", MediaType(yaml=True)),
    ("application/json;as=Nothing;g=meta.k8s.io;v=v1", None),
]


@pytest.mark.parametrize(("accept", "wanted"), CASES)
def test_objects(accept: str, wanted: MediaType | None) -> None:
    assert negotiate(accept) == wanted


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/vnd.kubernetes.protobuf,application/json", MediaType()),
        ("application/vnd.kubernetes.protobuf", None),
        (METADATA_CLIENT, MediaType(view="PartialObjectMetadata", version="v1", protobuf=True)),
    ],
)
def test_custom_resources(accept: str, wanted: MediaType | None) -> None:
    """They have no protobuf form, but their metadata has."""
    assert negotiate(accept, custom=True) == wanted


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", MediaType()),
        (METADATA_CLIENT, MediaType()),
        ("application/vnd.kubernetes.protobuf", PROTOBUF),
        ("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", MediaType()),
        ("text/html", MediaType()),
        ("application/yaml", MediaType(yaml=True)),
    ],
)
def test_errors(accept: str, wanted: MediaType) -> None:
    assert negotiate_status(accept) == wanted


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", MediaType()),
        (
            "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            MediaType(view="APIGroupDiscoveryList", version="v2", protobuf=True),
        ),
        ("application/vnd.kubernetes.protobuf", PROTOBUF),
        (KUBECTL_DISCOVERY, MediaType(view="APIGroupDiscoveryList", version="v2")),
        ("application/json", MediaType()),
        (f"application/json,{KUBECTL_DISCOVERY}", MediaType(view="APIGroupDiscoveryList", version="v2")),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", MediaType()),
        ("application/json;g=apidiscovery.k8s.io;v=v7;as=APIGroupDiscoveryList", None),
        ("image/png", None),
    ],
)
def test_discovery(accept: str, wanted: MediaType | None) -> None:
    assert negotiate_discovery(accept) == wanted


def test_content_types() -> None:
    assert content_type("") == "application/json"
    assert content_type("Application/YAML; charset=utf-8") == "application/yaml"


PARAMETERS = {
    "quoted": ('; charset="u\\"t;f"', True),
    "two": (" ; a=b;c = d", True),
    "nothing behind": (";", True),
    "long blanks": (" " * 100_000 + ";", True),
    "no value": (";foo", False),
    "empty value": (";foo=", False),
    "no name": (";=x", False),
    "open quote": (';a="b', False),
    "two semicolons": (";;", False),
    "blank in a value": (";a=b c", False),
    "long blanks and more": ("; a=b" + " " * 100_000 + "x", False),
}


@pytest.mark.parametrize(("parameters", "is_read"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_of_a_body_type(parameters: str, is_read: bool) -> None:
    assert content_type(f"application/json{parameters}") == ("application/json" if is_read else "")
    assert (
        negotiate_discovery(KUBECTL_DISCOVERY).content_type
        == b"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("gzip", True), ("br, gzip", True), ("br, gzip;q=0.5", False), ("*", False), ("GZIP", False), ("", False)],
)
def test_gzip(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


@pytest.mark.parametrize(("accept", "wanted"), [(KUBECTL_GET, MediaType()), (KUBECTL_GET.rpartition(",")[0], None)])
def test_a_kind_that_is_never_read_has_no_table(accept: str, wanted: MediaType | None) -> None:
    assert negotiate(accept, tables=False) == wanted
