"""Live traffic: `proxy/`, which logs it, `server/`, which answers it, and the `protocols/` that both speak."""
