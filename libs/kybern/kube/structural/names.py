"""Names of fields as identifiers of CEL: what is reserved or has other characters is written with words for them."""

import re

_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return",
    }
)  # fmt: skip
_WORDS = (("__", "underscores"), (".", "dot"), ("-", "dash"), ("/", "slash"))


def escape(name: str) -> str:
    """The name of a field as an identifier."""
    if name in _RESERVED:
        return f"__{name}__"
    if "__" not in name and _IDENTIFIER.fullmatch(name):
        return name
    for character, word in _WORDS:
        name = name.replace(character, f"\0{word}\0")
    return name.replace("\0", "__")
