"""URL paths: one name becomes one path segment.

Pure and small on purpose: kinds build paths without knowing any HTTP library.
"""

from __future__ import annotations

from urllib.parse import quote


def segment(text: str) -> str:
    """Percent-encode one path segment: everything but letters, digits and ``-_~.``.

    A segment of dots alone is encoded too, since clients and proxies resolve
    ``.`` and ``..`` before the server sees them.
    """
    encoded = quote(text, safe="", errors="surrogatepass")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded
