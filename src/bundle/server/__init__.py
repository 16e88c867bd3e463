"""The wire, and who is at its end: profiles, connections, retries, and the servers that xfer starts itself."""
