"""Revisions of pod templates."""

import json

from kybern.controllers.core.history import make_revision, template_data, template_of


def test_members_are_in_order_as_clients_compare_bytes() -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "i"}]}, "metadata": {"labels": {"b": "1", "a": "2"}}}
    data = template_data({"spec": {"template": template}})
    assert json.dumps(data) == json.dumps(data, sort_keys=True)
    assert template_of({"data": data}) == template


def test_a_revision_says_why_its_owner_was_changed() -> None:
    cause = {"kubernetes.io/change-cause": "kubectl apply"}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d", "namespace": "n", "uid": "u", "annotations": cause},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}}},
    }
    assert make_revision(owner, [], None)["metadata"]["annotations"] == cause
