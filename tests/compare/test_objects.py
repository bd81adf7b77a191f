"""What a client does with an object."""

from same import Both


def test_life_of_a_config_map(both: Both, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    both.same("POST", path, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    both.same("POST", path, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    both.same("GET", f"{path}/a")
    both.same("GET", f"{path}/none")
    both.same("GET", path)
    both.same("PATCH", f"{path}/a", {"data": {"k": None, "l": "w"}})
    both.same("PUT", f"{path}/a", {"metadata": {"name": "b"}})
    both.same("DELETE", f"{path}/a")


def test_pod(both: Both, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    both.same("POST", path, {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    both.same("POST", path, {"metadata": {"name": "A_"}, "spec": {"containers": [{"name": "C", "ports": [{}]}]}})
    both.same("GET", path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    both.same("DELETE", f"{path}/a")
