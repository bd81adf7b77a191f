"""An extension API server for tests: flunders of wardle.example.com/v1alpha1, with discovery, OpenAPI, watch.

It believes X-Remote-* headers of whoever shows a certificate of the front proxy's authority, and nobody else.
"""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

GROUP, VERSION = "wardle.example.com", "v1alpha1"
BASE = f"/apis/{GROUP}/{VERSION}"
VERBS = ["create", "delete", "get", "list", "watch"]
RESOURCE = {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "shortNames": ["fl"]}
STATUS = {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]}
REF = "com.example.wardle.v1alpha1.Flunder"
SCHEMA = {
    "type": "object",
    "description": "A Flunder.",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "spec": {
            "type": "object",
            "description": "What it should be.",
            "properties": {"x": {"type": "integer"}},
        },
    },
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
}


class Extension:
    """`app` is served; tests look at `asked` and change `broken`."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.watchers: list[asyncio.Queue[dict[str, Any]]] = []
        self.broken = False
        self.v2_only = False  # publishes no OpenAPI v3
        self.app = web.Application(client_max_size=1 << 30, middlewares=[self._front])
        add = self.app.router.add_route
        add("GET", BASE, self._discovery)
        add("GET", "/openapi/v2", self._openapi_v2)
        add("GET", "/openapi/v3", self._openapi_v3)
        add("GET", f"/openapi/v3{BASE}", self._document)
        add("GET", BASE + "/flunders", self._list)
        add("GET", BASE + "/namespaces/{ns}/flunders", self._list)
        add("POST", BASE + "/namespaces/{ns}/flunders", self._create)
        add("GET", BASE + "/namespaces/{ns}/flunders/{name}", self._get)
        add("DELETE", BASE + "/namespaces/{ns}/flunders/{name}", self._delete)
        add("GET", BASE + "/namespaces/{ns}/flunders/{name}/shout", self._shout)
        add("GET", BASE + "/namespaces/{ns}/flunders/{name}/elsewhere", self._elsewhere)

    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        if names != ["front-proxy-client"]:
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        headers = request.headers
        asked = {
            "user": headers.get("X-Remote-User"),
            "groups": headers.getall("X-Remote-Group", []),
            "headers": {name.lower(): value for name, value in headers.items()},
            "path": request.raw_path,
        }
        if asked["user"] != "system:kube-aggregator":
            self.asked.append(asked)
        if self.broken:
            return web.Response(status=500)
        found: web.StreamResponse = await handler(request)
        return found

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        rows = [{**RESOURCE, "verbs": VERBS, "categories": ["all"]}, STATUS]
        head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}"}
        return web.json_response({**head, "resources": rows})

    async def _openapi_v2(self, request: web.Request) -> web.StreamResponse:
        schema = {"$ref": f"#/definitions/{REF}"}
        answers = {"200": {"schema": schema}}
        paths = {
            BASE + "/namespaces/{ns}/flunders": {"get": {"produces": ["application/json"], "responses": answers}},
            "/version/": {"get": {}},
        }
        document = {"swagger": "2.0", "info": {}, "paths": paths, "definitions": {REF: SCHEMA, "unused": {}}}
        return web.json_response(document, headers={"ETag": '"v2"'})

    async def _openapi_v3(self, request: web.Request) -> web.StreamResponse:
        if self.v2_only:
            return web.Response(status=404)
        return web.json_response({"paths": {BASE[1:]: {"serverRelativeURL": f"/openapi/v3{BASE}?hash=1"}}})

    async def _document(self, request: web.Request) -> web.StreamResponse:
        kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
        path = {"get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": kind}}
        return web.json_response(
            {
                "openapi": "3.0.0",
                "info": {"title": "wardle", "version": "1"},
                "paths": {f"{BASE}/namespaces/{{namespace}}/flunders": path},
                "components": {"schemas": {REF: SCHEMA}},
            }
        )

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await self._watch(request)
        namespace = request.match_info.get("ns", "")
        items = [one for (ns, _), one in sorted(self.objects.items()) if namespace in ("", ns)]
        head = {"kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"resourceVersion": "1"}}
        return web.json_response({**head, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.watchers.append(queue)
        try:
            while True:
                await response.write(json.dumps(await queue.get()).encode() + b"\n")
        finally:
            self.watchers.remove(queue)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        obj: dict[str, Any] = await request.json()
        namespace = request.match_info["ns"]
        obj["metadata"] |= {"namespace": namespace, "uid": f"u-{obj['metadata']['name']}", "resourceVersion": "1"}
        obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        self.objects[namespace, obj["metadata"]["name"]] = obj
        for queue in self.watchers:
            queue.put_nowait({"type": "ADDED", "object": obj})
        return web.json_response(obj, status=201)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = self.objects.get((request.match_info["ns"], request.match_info["name"]))
        if found is None:
            details = {"name": request.match_info["name"], "group": GROUP, "kind": "flunders"}
            message = f'flunders.{GROUP} "{details["name"]}" not found'
            head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404}
            return web.json_response({**head, "reason": "NotFound", "message": message, "details": details}, status=404)
        return web.json_response(found)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self.objects.pop((request.match_info["ns"], request.match_info["name"]), None)
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    async def _shout(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(message.data.upper())
        return ws

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("https://example.com/")
