"""What a server holds: read over HTTP, described in portable form, selected from."""
