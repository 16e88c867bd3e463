"""Measurements of xfer against what the same requests, files and processes cost without it."""
