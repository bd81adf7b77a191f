"""/logs through a real gateway: for those who may, and nothing but the folder."""

from typing import Any


async def test_logs(gateway: Any) -> None:
    folder = gateway.folder / "logs"
    folder.mkdir()
    (folder / "gateway.log").write_text("one\ntwo\n")
    response = await gateway.admin.get("/logs", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (301, "/logs/")
    response = await gateway.admin.get("/logs/")
    assert response.content_type == "text/html"
    assert '<a href="gateway.log">gateway.log</a>' in await response.text()
    response = await gateway.admin.get("/logs/gateway.log")
    assert (response.content_type, await response.text()) == ("text/plain", "one\ntwo\n")
    assert (await gateway.admin.get("/logs/gone")).status == 404
    assert (await gateway.admin.get("/logs/%2e%2e/ca.key")).status == 404
    async with gateway.client(Authorization="Bearer secret") as alice:
        response = await alice.get("/logs/gateway.log")
        assert response.status == 403
        assert 'User "alice" cannot get path "/logs/gateway.log"' in (await response.json())["message"]
