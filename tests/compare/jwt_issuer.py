"""An issuer of JWTs on loopback: every path below its address is an issuer of its own with the same keys."""

import http.server
import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle

Object = dict[str, Any]
DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = {"rsa": "RS256", "ec": "ES256"}
ABSENT: Any = object()


class Issuer:
    """Listens until `close`; `documents` are answers to paths instead of the usual ones."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        self.ca = create_ca(folder / "issuer-ca", now)
        names = Identity("issuer", (), ("localhost",), ("127.0.0.1",))
        write_bundle(folder / "issuer", issue(self.ca, names, timedelta(days=1), now))
        self.keys: dict[str, Any] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "foreign": rsa.generate_private_key(65537, 2048),
        }
        self.documents: dict[str, Object] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "issuer" / "tls.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> Object | None:
        """The document at a path."""
        if path in self.documents:
            return self.documents[path]
        if path.endswith("/jwks"):
            rsa_key = RSAAlgorithm.to_jwk(self.keys["rsa"].public_key(), as_dict=True)
            ec_key = ECAlgorithm.to_jwk(self.keys["ec"].public_key(), as_dict=True)
            return {"keys": [{**rsa_key, "kid": "rsa", "use": "sig"}, {**ec_key, "kid": "ec", "use": "sig"}]}
        if path.endswith(DISCOVERY):
            at = self.url + path.removesuffix(DISCOVERY)
            return {"issuer": at, "jwks_uri": f"{at}/jwks"}
        return None

    def token(self, path: str, kid: str = "rsa", key: Any = None, algorithm: str = "", **claims: Any) -> str:
        """A token that is good unless claims, key or algorithm say otherwise; `ABSENT` leaves a claim out."""
        body = {"iss": self.url + path, "aud": "a", "exp": int(time.time()) + 600, "sub": "jane", **claims}
        body = {name: value for name, value in body.items() if value is not ABSENT}
        signing = None if algorithm == "none" else key or self.keys.get(kid, self.keys["rsa"])
        data = json.dumps(body).encode()
        return jwt.PyJWS().encode(data, signing, algorithm or ALGORITHMS.get(kid, "RS256"), {"kid": kid})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(issuer: Issuer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.answer(self.path)
            data = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
