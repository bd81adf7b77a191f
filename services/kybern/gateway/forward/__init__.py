"""One HTTP request carried on to another server: the client's side of HTTP/1.1, streaming both ways, tunnels."""
