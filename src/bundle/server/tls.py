"""TLS: which certificates are trusted, and why one is not."""

from __future__ import annotations

import ssl

from bundle.errors import ProfileError
from bundle.server.responses import EXPIRED, NO_TLS, OTHER_HOST, UNTRUSTED
from bundle.server.target import Target

# OpenSSL's codes: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH.
_REASONS = {10: EXPIRED, 62: OTHER_HOST, 64: OTHER_HOST}


def tls_context(target: Target) -> ssl.SSLContext:
    """Whom to trust: the CA file alone where there is one, else the system's authorities and certifi's.

    Raises:
        ProfileError: the CA file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.base.startswith("https:"):  # loading takes 20 ms; without it nothing is trusted
        try:
            context.load_verify_locations(target.ca_file or _certifi())
        except OSError:
            raise ProfileError(
                f'profile "{target.name}": the CA file {target.ca_file} cannot be read',
                hint="correct PREFECT_API_SSL_CERT_FILE in the profile, or SSL_CERT_FILE in the environment",
            ) from None
        if target.ca_file is None:
            context.load_default_certs()
    return context


def tls_reason(error: ssl.SSLError) -> str:
    """Why there is no TLS connection, for messages."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _REASONS.get(error.verify_code, UNTRUSTED)
    return NO_TLS


def _certifi() -> str:
    import certifi  # noqa: PLC0415 - only https needs it

    return certifi.where()
