"""gRPC between the services: mTLS, identities, method policies, interceptors, Exchange; real or in memory.

Reading order: `transport` (the seam), `guard` (what every served call passes through), `grpc_transport` and
`grpc_channel`, `memory`, `exchange`. Errors are `kybern.kube.status.StatusError` on both sides (`errors`).
"""

import os

# gRPC's core writes to standard error when a peer goes away, which is ordinary; it reads this when it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# Sockets polled by the caller's thread instead of a pool of gRPC's own: a fifth less CPU for each Exchange message.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
