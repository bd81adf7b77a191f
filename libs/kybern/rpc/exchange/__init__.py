"""Exchange: many requests per gRPC message in both directions, over one stream; about 20 times a unary call's rate."""
