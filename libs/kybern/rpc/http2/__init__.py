"""HTTP/2 as far as gRPC over connections of our own needs it: `bidi` here, and short calls to etcd."""
