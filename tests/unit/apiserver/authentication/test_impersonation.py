"""Whom a user may act as, by which mode, and which refusal is told."""

import pytest

from kybern.apiserver.authentication.impersonation import Impersonator
from kybern.apiserver.authorization.refusal import forbidden
from kybern.apiserver.core.user import User
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import ExtraValues, Impersonation

ME = User("me")
LIST = Attributes("list", "", "secrets", "", "a")
AUTHENTICATED = "system:authenticated"


def impersonator(*granted: tuple[str, str]) -> Impersonator:
    """`granted`: verbs with the names they are granted for ("*": all)."""

    def check(user: User, asked: Attributes) -> None:
        if not {(asked.verb, asked.name), (asked.verb, "*")} & {*granted}:
            raise forbidden(user, asked)

    return Impersonator(check)


INFO = (("impersonate-on:user-info:list", "*"), ("impersonate:user-info", "*"))


@pytest.mark.parametrize(
    ("granted", "wanted", "groups", "mode"),
    [
        (INFO, Impersonation(user="carl"), (AUTHENTICATED,), "impersonate:user-info"),
        (INFO, Impersonation(user="carl", groups=["g"]), ("g", AUTHENTICATED), "impersonate:user-info"),
        ((("impersonate", "carl"),), Impersonation(user="carl"), (AUTHENTICATED,), ""),
        (
            (("impersonate-on:serviceaccount:list", "*"), ("impersonate:serviceaccount", "sa")),
            Impersonation(user="system:serviceaccount:a:sa"),
            ("system:serviceaccounts", "system:serviceaccounts:a", AUTHENTICATED),
            "impersonate:serviceaccount",
        ),
        (
            (("impersonate-on:arbitrary-node:list", "*"), ("impersonate:arbitrary-node", "n1")),
            Impersonation(user="system:node:n1"),
            ("system:nodes", AUTHENTICATED),
            "impersonate:arbitrary-node",
        ),
    ],
)
def test_granted(
    granted: tuple[tuple[str, str], ...], wanted: Impersonation, groups: tuple[str, ...], mode: str
) -> None:
    found = impersonator(*granted).impersonated(ME, wanted, LIST)
    assert (found.user.name, found.user.groups, found.mode) == (wanted.user, groups, mode)


@pytest.mark.parametrize(
    ("granted", "wanted", "said"),
    [
        ((), Impersonation(user="carl"), "cannot impersonate-on:user-info:list resource"),
        (INFO[:1], Impersonation(user="carl"), 'cannot impersonate:user-info resource "users"'),
        (INFO, Impersonation(user="carl", groups=["system:masters"]), "impersonating the system:masters group is not"),
        (
            INFO,
            Impersonation(user="carl", extra={"scopes": ExtraValues(values=["view"])}),
            "impersonating an invalid key in extra is not allowed",
        ),
        (INFO, Impersonation(user="system:node:n1", uid="u"), 'cannot impersonate resource "users"'),
        (INFO, Impersonation(user="carl", groups=["g", ""]), "impersonating the empty string group is not allowed"),
        *(
            (INFO, Impersonation(user="carl", extra={key: ExtraValues(values=[value])}), f"impersonating {said}")
            for key, value, said in (
                ("", "x", "the empty string key in extra is not allowed"),
                ("a.io/X", "x", 'a non-lowercase key in extra is not allowed: "a.io/X"'),
                ("a.io/x", "", "the empty string value in extra is not allowed"),
            )
        ),
        ((), Impersonation(user="system:serviceaccount:A:b"), "cannot impersonate-on:user-info:list resource"),
        ((), Impersonation(user="system:node:N_1"), "cannot impersonate-on:user-info:list resource"),
        ((), Impersonation(groups=["a\tb"]), 'Groups:[]string{"a\\tb"}'),
        (
            (),
            Impersonation(groups=["g"]),
            'Groups:[]string{"g"}, Extra:map[string][]string(nil)} without impersonating',
        ),
    ],
)
def test_refused(granted: tuple[tuple[str, str], ...], wanted: Impersonation, said: str) -> None:
    with pytest.raises(StatusError) as refused:
        impersonator(*granted).impersonated(ME, wanted, LIST)
    assert said in refused.value.message


def test_of_many_parts_it_is_asked_first_whether_all_are_granted() -> None:
    asked: list[str] = []

    def check(user: User, what: Attributes) -> None:
        asked.append(f"{what.combined_resource} {what.name}")
        if what.name == "*" and what.resource == "groups":
            raise forbidden(user, what)

    many = Impersonation(user="carl", groups=["a", "b", "c", "d"])
    many.extra["a.io/x"].values.extend("1234")
    Impersonator(check).impersonated(ME, many, LIST)
    groups = [f"groups {name}" for name in "*abcd"]
    assert asked == ["secrets ", "users carl", *groups, "userextras/* *"]


def test_the_mode_that_was_granted_before_comes_first() -> None:
    both = impersonator(("impersonate", "carl"))
    both.impersonated(ME, Impersonation(user="carl"), LIST)
    with pytest.raises(StatusError, match='users "dave" is forbidden: User "me" cannot impersonate resource'):
        both.impersonated(ME, Impersonation(user="dave"), LIST)
