"""gRPC between the services: mTLS, identities, method policies, interceptors, Exchange; real or in memory."""
