"""Type variables: what stands for them, and whether a value of one type may be put where another is wanted.

The rules are those of cel-go: `dyn` goes with everything, a variable takes the more general of the types it meets, and
an attempt that fails leaves no trace.
"""

from collections.abc import Sequence

from kybern.kube.cel.ast import DYN, Type

ERROR = Type("!error!")
NULL = Type("null_type")
_NOT_NULL = frozenset({"bool", "bytes", "double", "int", "string", "uint", "list", "map", "type"})
Bound = dict[str, Type]


def is_variable(of: Type) -> bool:
    """Whether the type is not known yet."""
    return of.name.startswith("%")


def is_open(of: Type) -> bool:
    """Whether it goes with everything."""
    return of.name in ("dyn", "any", "!error!")


class Variables:
    """The variables of one expression."""

    def __init__(self) -> None:
        self.bound: Bound = {}
        self._made = 0

    def new(self) -> Type:
        """A variable that stands for nothing yet."""
        self._made += 1
        return Type(f"%{self._made - 1}")

    def assignable(self, given: Type, wanted: Type) -> bool:
        """Whether the types go together; what that says of variables is kept."""
        return self.all_assignable((given,), (wanted,))

    def all_assignable(self, given: Sequence[Type], wanted: Sequence[Type]) -> bool:
        """As `assignable`, one by one; all or nothing."""
        if len(given) != len(wanted):
            return False
        attempt = dict(self.bound)
        if not _all_assignable(attempt, given, wanted):
            return False
        self.bound = attempt
        return True

    def resolved(self, of: Type, final: bool = False) -> Type:
        """The type with what its variables stand for; what stands for nothing is `dyn` in the end."""
        if is_variable(of):
            found = self.bound.get(of.name)
            if found is None:
                return DYN if final else of
            return self.resolved(found, final)
        if not of.parameters:
            return of
        return Type(of.name, tuple([self.resolved(one, final) for one in of.parameters]))


def instance(of: Type, fresh: dict[str, Type]) -> Type:
    """A declared type with variables in place of its parameters."""
    found = fresh.get(of.name)
    if found is not None:
        return found
    return Type(of.name, tuple([instance(one, fresh) for one in of.parameters])) if of.parameters else of


def most_general(one: Type, other: Type) -> Type:
    """The one that says less."""
    return one if _says_no_more(one, other) else other


def _all_assignable(bound: Bound, given: Sequence[Type], wanted: Sequence[Type]) -> bool:
    return len(given) == len(wanted) and all(
        _assignable(bound, one, other) for one, other in zip(given, wanted, strict=True)
    )


def _assignable(bound: Bound, one: Type, other: Type) -> bool:
    if is_variable(other):
        fits, known = _stands_for(bound, one, other)
        if fits or known:
            return fits
    if is_variable(one):
        return _stands_for(bound, other, one)[0]
    if is_open(one) or is_open(other):
        return True
    if one.name == "null_type":
        return other.name == "null_type" or other.name not in _NOT_NULL
    if other.name == "null_type":
        return one.name not in _NOT_NULL
    if one.name == "type":
        return other.name == "type"
    return one.name == other.name and _all_assignable(bound, one.parameters, other.parameters)


def _stands_for(bound: Bound, of: Type, variable: Type) -> tuple[bool, bool]:
    """(whether the variable may stand for the type, whether it stood for one before)."""
    if of == variable:
        return True, True
    known = bound.get(variable.name)
    if known is None:
        if _occurs(bound, variable, of):
            return False, False
        bound[variable.name] = of
        return True, False
    if of == known:
        return True, True
    if not _assignable(bound, of, known):
        return False, True
    general = most_general(of, known)
    if not _occurs(bound, variable, general):
        bound[variable.name] = general
    return True, True


def _occurs(bound: Bound, variable: Type, within: Type) -> bool:
    if variable == within:
        return True
    if is_variable(within):
        known = bound.get(within.name)
        return known is not None and _occurs(bound, variable, known)
    return any(_occurs(bound, variable, one) for one in within.parameters)


def _says_no_more(one: Type, other: Type) -> bool:
    if one.name in ("dyn", "any") or is_variable(one):
        return True
    if other.name in ("dyn", "any") or is_variable(other) or one.name != other.name:
        return False
    if one.name == "type":
        return True
    return len(one.parameters) == len(other.parameters) and all(map(_says_no_more, one.parameters, other.parameters))
