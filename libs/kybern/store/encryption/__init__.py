"""Encryption at rest: Kubernetes' EncryptionConfiguration, its providers, and a Store that applies them."""

from kybern.store.encryption.config import ConfigurationError, EncryptionConfig, read_config
from kybern.store.encryption.store import EncryptedStore

__all__ = ["ConfigurationError", "EncryptedStore", "EncryptionConfig", "read_config"]
