"""The bundle file: written, read and verified (docs/format.md)."""
