"""jsonpatch.escapeKey: a key as a part of a JSON pointer. JSONPatch is a message, known where patches are made."""

from kybern.kube.cel.overloads import Overload, plain, walks

OVERLOADS: list[Overload] = [
    plain("jsonpatch.escapeKey", "string -> string", lambda key: key.replace("~", "~0").replace("/", "~1"), walks)
]
