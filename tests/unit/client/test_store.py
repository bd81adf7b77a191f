"""The indexer against a dumb model: filter everything, every time."""

from hypothesis import given
from hypothesis import strategies as st

from kybern.client.store import NAMESPACE, NODE, Indexer, by_namespace, by_node
from kybern.kube import meta

NAMES = st.sampled_from(["a", "b", "c"])
PODS = st.builds(
    lambda namespace, name, node: {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": node} if node else {},
    },
    NAMES,
    NAMES,
    st.sampled_from(["", "n1", "n2"]),
)


@given(st.lists(st.tuples(PODS, st.booleans()), max_size=40), st.integers(0, 40))
def test_indexes_agree_with_filtering(steps: list[tuple[dict, bool]], late: int) -> None:  # type: ignore[type-arg]
    store = Indexer({NAMESPACE: by_namespace})
    model: dict[str, dict] = {}  # type: ignore[type-arg]
    for step, (pod, remove) in enumerate(steps):
        if step == late:
            store.add_indexers({NODE: by_node})
        key = meta.key(pod)
        if remove:
            assert store.remove(key) == model.pop(key, None)
        else:
            assert store.put(pod) == model.get(key)
            model[key] = pod
    store.add_indexers({NODE: by_node})
    assert {meta.key(pod) for pod in store.list()} == set(model)
    for namespace in "abc":
        expected = [pod for pod in model.values() if meta.namespace(pod) == namespace]
        assert sorted(map(meta.key, store.by_index(NAMESPACE, namespace))) == sorted(map(meta.key, expected))
    for node in ("n1", "n2"):
        expected = [pod for pod in model.values() if pod["spec"].get("nodeName") == node]
        assert sorted(map(meta.key, store.by_index(NODE, node))) == sorted(map(meta.key, expected))
    assert set(store.index_values(NODE)) == {pod["spec"]["nodeName"] for pod in model.values() if pod["spec"]}
