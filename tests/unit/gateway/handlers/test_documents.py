"""Documents: what was fetched for one resource table is kept for it, and no longer."""

from types import SimpleNamespace
from typing import Any

from kybern.clock import SystemClock
from kybern.gateway.handlers.documents import Documents
from kybern.gateway.http.message import Request
from kybern.protos.api.v1.discovery_pb2 import GetOpenAPIRequest, GetOpenAPIResponse, ResourceTable


class Discovery:
    """An apiserver that has a document for every table."""

    def __init__(self) -> None:
        self.asked = 0

    async def GetOpenAPI(self, request: GetOpenAPIRequest, timeout: float) -> GetOpenAPIResponse:
        self.asked += 1
        return GetOpenAPIResponse(document=b'{"swagger":"2.0"}', hash=f"H{self.asked}")


async def test_documents_of_former_tables_are_forgotten() -> None:
    discovery, resources = Discovery(), SimpleNamespace(table=ResourceTable(etag="1"))
    env = SimpleNamespace(clock=SystemClock())
    documents = Documents(SimpleNamespace(discovery=discovery, resources=resources, env=env), "")  # type: ignore[arg-type]
    connection: Any = None
    for change in range(1, 4):
        resources.table = ResourceTable(etag=str(change))
        for _ in range(2):
            answer = await documents.openapi_v2(Request(connection, "GET", b"/openapi/v2", {}, {}, b""))
            assert (answer.status, answer.body) == (200, b'{"swagger":"2.0"}')
        assert discovery.asked == change
        assert len(documents._openapi) == 1
