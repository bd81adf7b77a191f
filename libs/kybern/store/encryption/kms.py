"""KMS v2: values are encrypted here, with keys derived from a seed that only the plugin can decrypt.

Each value: `k8s:enc:kms:v2:<name>:` and an EncryptedObject, which carries the encrypted seed beside the data. A seed is
decrypted once and remembered; while the plugin is away, what is remembered goes on working. The plugin's key is asked
for every minute; when its id changes, a new seed is made and older values count as stale.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from google.protobuf.message import DecodeError

from kybern.protos.kms.v2.api_pb2 import DecryptRequest, EncryptRequest, StatusRequest
from kybern.protos.kms.v2.api_pb2_grpc import KeyManagementServiceStub
from kybern.protos.kms.v2.encrypted_object_pb2 import AES_GCM_KEY, HKDF_SHA256_XNONCE_AES_GCM_SEED, EncryptedObject
from kybern.store.encryption.config import ProviderConfig
from kybern.store.encryption.transformers import AesGcm, Cryptor, Entropy, Unreadable
from kybern.store.errors import StoreUnavailable

SEED = INFO = 32  # bytes
ASK_AGAIN = 60.0  # seconds after which the plugin's status is asked for again
EXPIRES = 180.0  # seconds that a seed may go on writing while the plugin does not answer
REMEMBERED = 1000  # seeds
VERSIONS = ("v2", "v2beta1")


class Derived:
    """Every value has a key of its own: 32 random bytes in front of it and the seed make that key."""

    def __init__(self, seed: bytes, entropy: Entropy = os.urandom) -> None:
        self._seed = seed
        self._entropy = entropy

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        info = self._entropy(INFO)
        return info + self._cipher(info).seal(plain, key)

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        if len(data) < INFO:
            raise Unreadable("the stored data was shorter than the required size")
        return self._cipher(data[:INFO]).open(data[INFO:], key)

    def _cipher(self, info: bytes) -> AesGcm:
        return AesGcm(HKDFExpand(SHA256(), 32, info).derive(self._seed), self._entropy)


@dataclass(frozen=True)
class WriteState:
    """What values are written with now."""

    key_id: str
    source: bytes
    annotations: dict[str, bytes]
    cryptor: Cryptor


class Kms:
    """One plugin, as a Provider. `prepare` and `fetch` talk to it; `seal` and `open` do not."""

    def __init__(self, config: ProviderConfig, entropy: Entropy = os.urandom) -> None:
        self.name = config.name
        self.prefix = f"k8s:enc:kms:v2:{config.name}:".encode()
        self._timeout = config.timeout
        self._entropy = entropy
        self._channel = grpc.aio.insecure_channel(
            config.endpoint.replace("unix:///@", "unix-abstract:"), options=[("grpc.max_reconnect_backoff_ms", 1000)]
        )
        self._plugin: Any = KeyManagementServiceStub(self._channel)
        self._writing: WriteState | None = None
        self._seen = 0.0  # when the plugin last confirmed the key
        self._preparing = asyncio.Lock()
        self._cryptors: OrderedDict[bytes, Cryptor] = OrderedDict()

    # Writing

    async def prepare(self) -> None:
        """Be able to seal. Raises StoreUnavailable when the plugin is needed and does not answer."""
        now = asyncio.get_running_loop().time()
        if self._writing is not None and now - self._seen < ASK_AGAIN:
            return
        async with self._preparing:
            now = asyncio.get_running_loop().time()
            if self._writing is not None and now - self._seen < ASK_AGAIN:
                return
            try:
                await self._renew()
            except StoreUnavailable:
                if self._writing is None or now - self._seen > EXPIRES:
                    raise

    async def status(self) -> str:
        """The plugin's key id. Raises StoreUnavailable with what is wrong."""
        answer = await self._call(self._plugin.Status, StatusRequest())
        if answer.version not in VERSIONS:
            raise StoreUnavailable(f"kms plugin {self.name}: version {answer.version!r} is not one of {VERSIONS}")
        if answer.healthz != "ok":
            raise StoreUnavailable(f"kms plugin {self.name} is not well: {answer.healthz}")
        if not answer.key_id:
            raise StoreUnavailable(f"kms plugin {self.name} names no key")
        return str(answer.key_id)

    async def _renew(self) -> None:
        key_id = await self.status()
        if self._writing is None or self._writing.key_id != key_id:
            seed = self._entropy(SEED)
            answer = await self._call(self._plugin.Encrypt, EncryptRequest(plaintext=seed, uid=self._uid()))
            cryptor = Derived(seed, self._entropy)
            self._writing = WriteState(answer.key_id, answer.ciphertext, dict(answer.annotations), cryptor)
            self._remember(answer.ciphertext, cryptor)
        self._seen = asyncio.get_running_loop().time()

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Provider. After `prepare`."""
        state = self._writing
        assert state is not None
        stored = EncryptedObject(
            encryptedData=state.cryptor.seal(plain, key),
            keyID=state.key_id,
            encryptedDEKSource=state.source,
            annotations=state.annotations,
            encryptedDEKSourceType=HKDF_SHA256_XNONCE_AES_GCM_SEED,
        )
        return self.prefix + stored.SerializeToString()

    def current(self, data: bytes) -> bool:
        """See Provider."""
        try:
            stored = self._parse(data)
        except Unreadable:
            return False
        same = self._writing is not None and stored.keyID == self._writing.key_id
        return same and stored.encryptedDEKSourceType == HKDF_SHA256_XNONCE_AES_GCM_SEED

    # Reading

    async def fetch(self, data: bytes) -> None:
        """Have the seed of a stored value decrypted, unless it is remembered. Raises Unreadable."""
        stored = self._parse(data)
        if stored.encryptedDEKSource in self._cryptors:
            return
        request = DecryptRequest(
            ciphertext=stored.encryptedDEKSource,
            uid=self._uid(),
            key_id=stored.keyID,
            annotations=dict(stored.annotations),
        )
        try:
            answer = await self._call(self._plugin.Decrypt, request)
        except StoreUnavailable as error:
            raise Unreadable(f"failed to decrypt DEK, error: {error}") from None
        if stored.encryptedDEKSourceType == AES_GCM_KEY:
            self._remember(stored.encryptedDEKSource, AesGcm(answer.plaintext, self._entropy))
        else:
            self._remember(stored.encryptedDEKSource, Derived(answer.plaintext, self._entropy))

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Provider. After `fetch`."""
        stored = self._parse(data)
        cryptor = self._cryptors.get(stored.encryptedDEKSource)
        if cryptor is None:
            raise Unreadable("the data key of the value has not been decrypted")
        self._cryptors.move_to_end(stored.encryptedDEKSource)
        return cryptor.open(stored.encryptedData, key)

    def _parse(self, data: bytes) -> EncryptedObject:
        try:
            stored = EncryptedObject.FromString(data[len(self.prefix) :])
        except DecodeError:
            raise Unreadable("failed to unmarshal the encrypted object") from None
        if not stored.encryptedData or not stored.encryptedDEKSource or not stored.keyID:
            raise Unreadable("the encrypted object is not complete")
        return stored

    def _remember(self, source: bytes, cryptor: Cryptor) -> None:
        self._cryptors[source] = cryptor
        if len(self._cryptors) > REMEMBERED:
            self._cryptors.popitem(last=False)

    def _uid(self) -> str:
        return self._entropy(16).hex()

    async def _call(self, method: Callable[..., Awaitable[Any]], request: Any) -> Any:
        try:
            return await method(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            why = f"{error.code().name}: {error.details()}"
            raise StoreUnavailable(f"kms plugin {self.name} does not answer ({why})") from error

    async def close(self) -> None:
        """Give the connection back."""
        await self._channel.close(None)
