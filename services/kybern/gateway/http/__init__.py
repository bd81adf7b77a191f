"""HTTP/1.1 and WebSocket on asyncio transports: httptools parses, wsproto frames."""
