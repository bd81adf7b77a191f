"""Generated names: the generateName suffix and pod-template-hash, in an alphabet that spells no words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
MAX_BASE_LENGTH = 63 - SUFFIX_LENGTH


def generate_name(base: str, random: Random) -> str:
    """`base` cut to 58 characters plus five random ones (upstream's SimpleNameGenerator)."""
    return base[:MAX_BASE_LENGTH] + random_suffix(random)


def random_suffix(random: Random, length: int = SUFFIX_LENGTH) -> str:
    return "".join(random.choices(ALPHABET, k=length))


def safe_encode(text: str) -> str:
    """Map every character into ALPHABET, so that a hash never spells a word (upstream's SafeEncodeString)."""
    return "".join(ALPHABET[ord(char) % len(ALPHABET)] for char in text)


def fnv32a(data: bytes, seed: int = 0x811C9DC5) -> int:
    """32-bit FNV-1a."""
    digest = seed
    for byte in data:
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return digest


def object_hash(obj: Any, collision_count: int | None = None) -> str:
    """A short stable hash of a JSON value, as in pod-template-hash and ControllerRevision names.

    Equal JSON values hash equally whatever their key order. The digits differ from upstream's, which hashes a dump of
    Go structs; only stability within a cluster is promised by either.
    """
    digest = fnv32a(json.dumps(obj, sort_keys=True, separators=(",", ":")).encode())
    if collision_count is not None:
        digest = fnv32a(collision_count.to_bytes(8, "little"), digest)
    return safe_encode(str(digest))


def pod_template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """The pod-template-hash label value of a pod template."""
    return object_hash(template, collision_count)
