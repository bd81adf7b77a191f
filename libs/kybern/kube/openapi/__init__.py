"""OpenAPI: the documents that kubectl and client libraries read, computed from the schema tables.

    v3(group, version)   -> the document served at /openapi/v3/apis/<group>/<version> (or /openapi/v3/api/v1)
    v3_index(hash_of)    -> the document served at /openapi/v3: where each group-version's document is
    v2()                 -> the document served at /openapi/v2

Each call builds its document anew in about 10 ms: keep the encoded bytes, which are a tenth of the size. `document_v3`
takes any resources and definitions, so that custom resources get documents of their own.
"""

from kybern.kube.openapi.documents import document_v2, document_v3, group_version_path, v2, v3, v3_index

__all__ = ["document_v2", "document_v3", "group_version_path", "v2", "v3", "v3_index"]
