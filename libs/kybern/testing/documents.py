"""Documents that are almost right: made from the schema of a kind, with a wrong value here and there."""

from random import Random
from typing import Any

from kybern.kube import schema
from kybern.kube.schema import ResourceInfo

TEXTS = (
    *(
        "",
        "a",
        "b-1",
        "A_B",
        "é",
        "a" * 300,
        "1",
        "-1",
        "0.5",
        "1Gi",
        "500m",
        "80%",
        "2020-01-01T00:00:00Z",
        "1h",
        "1e9999",
    ),
    *(
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "http",
        "80",
        "*",
        "a/b",
        "a.b/c",
        "/x",
        "../x",
        "\x00",
        "\ud800",
        "x=y",
        "{}",
        "[",
        "$(A)",
    ),
    *(
        "TCP",
        "Always",
        "Never",
        "ClusterIP",
        "None",
        "Exists",
        "In",
        "Equals",
        "NoSchedule",
        "RollingUpdate",
        "OnDelete",
    ),
    *("metadata.name", "spec.nodeName", "self.x > 1", "object.spec.replicas == 1", "v1", "apps/v1", "Pod", "default"),
)
NUMBERS = (-1, 0, 1, 2, 80, 65535, 65536, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 1.5, -0.0, 1e300)
DEEPEST = 9


def anything(random: Random, depth: int = 0) -> Any:
    """Any JSON."""
    match random.randrange(8 if depth < 3 else 5):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2:
            return random.choice(NUMBERS)
        case 3 | 4:
            return random.choice(TEXTS)
        case 5:
            return [anything(random, depth + 1) for _ in range(random.randrange(3))]
    return {random.choice(TEXTS): anything(random, depth + 1) for _ in range(random.randrange(3))}


def value(random: Random, wanted: dict[str, Any], wrong: float, depth: int = 0) -> Any:
    """A value for a schema; with the chance `wrong` one that is not, at every step."""
    if random.random() < wrong:
        return anything(random)
    tables = schema.load()
    wanted = tables.resolve(wanted)
    if "enum" in wanted and random.random() < 0.9:
        return random.choice(wanted["enum"])
    match wanted.get("type"):
        case "object" | None if wanted.get("properties"):
            if depth > DEEPEST:
                return {}
            share = random.choice((0.15, 0.4, 0.9)) / (1 + depth / 4)
            required = wanted.get("required") or ()
            return {
                name: value(random, each, wrong, depth + 1)
                for name, each in wanted["properties"].items()
                if name in required or random.random() < share
            }
        case "object":
            each = wanted.get("additionalProperties")
            inner = each if isinstance(each, dict) else {}
            return {random.choice(TEXTS): value(random, inner, wrong, depth + 1) for _ in range(random.randrange(3))}
        case "array":
            return [value(random, wanted.get("items") or {}, wrong, depth + 1) for _ in range(random.randrange(3))]
        case "integer" | "number":
            return random.choice(NUMBERS)
        case "boolean":
            return random.random() < 0.5
        case "string":
            return random.choice(TEXTS)
    return random.choice((random.choice(TEXTS), random.choice(NUMBERS)))


def document(random: Random, info: ResourceInfo) -> Any:
    """An object of the kind, with a name that is mostly good."""
    wrong = random.choice((0.0, 0.0, 0.02, 0.1))
    found = value(random, schema.definition(info.gvk) or {}, wrong)
    if not isinstance(found, dict):
        return found
    found |= {"kind": info.kind, "apiVersion": info.api_version}
    if random.random() < 0.9:
        metadata = {"name": random.choice(("x", "y-1", "é", "")), "labels": {"a": "b"}}
        more = value(random, {"$ref": META}, wrong) if random.random() < 0.2 else {}
        found["metadata"] = metadata | more if isinstance(more, dict) else more
    return found


META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
ORDERS: tuple[Any, ...] = ([], [{"name": "c"}], [1], "x")
LISTS: tuple[Any, ...] = ([], ["a"], "a", [{}], None)
DIRECTIVES: tuple[dict[str, Any], ...] = (
    *({"$patch": word} for word in ("replace", "delete", "merge", "nonsense", 1)),
    *({"$retainKeys": keys} for keys in LISTS),
    *({"$setElementOrder/containers": order} for order in ORDERS),
    *({"$deleteFromPrimitiveList/finalizers": values} for values in LISTS),
)
POINTERS = (
    "",
    "/",
    "/metadata",
    "/metadata/name",
    "/metadata/labels/a",
    "/spec",
    "/spec/-",
    "/spec/0",
    "/~2",
    "x",
    "/a~1b",
    "/metadata/finalizers/-",
)


def patch(random: Random, info: ResourceInfo, kind: str) -> Any:
    """A patch of this media type's last word: json, merge, strategic or apply."""
    if kind == "json":
        if random.random() < 0.1:
            return anything(random)
        return [
            {
                "op": random.choice(("add", "remove", "replace", "move", "copy", "test", "none", 1)),
                "path": random.choice(POINTERS),
                "from": random.choice(POINTERS),
                "value": anything(random),
            }
            for _ in range(random.randrange(4))
        ]
    found = document(random, info) if random.random() < 0.9 else anything(random)
    if kind == "strategic" and isinstance(found, dict):
        for _ in range(random.randrange(3)):
            where = random.choice([each for each in found.values() if isinstance(each, dict)] or [found])
            where.update(random.choice(DIRECTIVES))
    return found
