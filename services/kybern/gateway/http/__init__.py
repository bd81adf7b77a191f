"""HTTP on asyncio transports: what handlers see of requests and answers, and below it HTTP/1.1, HTTP/2, WebSockets."""
