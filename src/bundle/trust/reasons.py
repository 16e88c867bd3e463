"""Why something is not trusted: a closed table of codes, and the error that carries one."""

from __future__ import annotations

from enum import StrEnum

from bundle.errors import BundleRejected


class Reason(StrEnum):
    """The codes; each has a text in ``TEXTS`` and a hint in ``HINTS``."""

    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_MALFORMED = "signature-malformed"
    SIGNATURE_WRONG = "signature-wrong"
    NAMESPACE_WRONG = "namespace-wrong"
    NAMESPACE_NOT_ALLOWED = "namespace-not-allowed"
    SIGNER_UNKNOWN = "signer-unknown"
    SIGNER_NOT_ASKED_FOR = "signer-not-asked-for"
    SIGNER_NOT_YET_VALID = "signer-not-yet-valid"
    SIGNER_EXPIRED = "signer-expired"
    SIGNER_REVOKED = "signer-revoked"
    CERTIFICATE_REFUSED = "certificate-refused"
    NOT_TOUCHED = "not-touched"
    TOO_FEW_SIGNERS = "too-few-signers"
    TRUST_FILE_MISSING = "trust-file-missing"
    SEALED_MALFORMED = "sealed-malformed"
    SEALED_FOR_OTHERS = "sealed-for-others"
    SEALED_FOR_OTHER_BUNDLE = "sealed-for-other-bundle"
    STATEMENT_MALFORMED = "statement-malformed"
    STATEMENT_FOR_OTHERS = "statement-for-other-files"
    TOO_FEW_APPROVALS = "too-few-approvals"
    PARTS_MALFORMED = "parts-malformed"
    PART_MISSING = "part-missing"
    PART_ALTERED = "part-altered"


TEXTS: dict[Reason, str] = {
    Reason.SIGNATURE_MISSING: "it is not signed",
    Reason.SIGNATURE_MALFORMED: "the signature file is damaged, or not written the one way that signatures are",
    Reason.SIGNATURE_WRONG: "the signature does not belong to this content",
    Reason.NAMESPACE_WRONG: "it was signed as another kind of file",
    Reason.NAMESPACE_NOT_ALLOWED: "the key may not sign this kind of file",
    Reason.SIGNER_UNKNOWN: "the key is not in the file of allowed signers",
    Reason.SIGNER_NOT_ASKED_FOR: "the signer is allowed, but is not the one asked for",
    Reason.SIGNER_NOT_YET_VALID: "the key is not valid yet",
    Reason.SIGNER_EXPIRED: "the key is not valid any more",
    Reason.SIGNER_REVOKED: "the key is revoked",
    Reason.CERTIFICATE_REFUSED: "the certificate of the key does not allow this signature",
    Reason.NOT_TOUCHED: "nobody touched the security key, or its PIN was required and not given",
    Reason.TOO_FEW_SIGNERS: "fewer people signed it than are required",
    Reason.TRUST_FILE_MISSING: "it is signed, and nothing says whose signatures are trusted",
    Reason.SEALED_MALFORMED: "the sealed file is damaged, or is none",
    Reason.SEALED_FOR_OTHERS: "it is sealed for other recipients",
    Reason.SEALED_FOR_OTHER_BUNDLE: "its secrets belong to another bundle",
    Reason.STATEMENT_MALFORMED: "it is not a statement of a known form",
    Reason.STATEMENT_FOR_OTHERS: "it is about other files",
    Reason.TOO_FEW_APPROVALS: "fewer people approved it than are required",
    Reason.PARTS_MALFORMED: "it is not a list of parts",
    Reason.PART_MISSING: "a part is missing",
    Reason.PART_ALTERED: "a part was changed",
}
"""What each code means, in plain English."""

HINTS: dict[Reason, str] = {
    Reason.SIGNATURE_MISSING: "ask its maker for the .sig file, and put it beside the file",
    Reason.SIGNATURE_MALFORMED: "copy the .sig again as a binary file; mail and FTP may change its line ends",
    Reason.SIGNATURE_WRONG: "do not use the file; get both again from its maker",
    Reason.NAMESPACE_WRONG: "sign it with `xfer sign`, which knows the kinds of files",
    Reason.NAMESPACE_NOT_ALLOWED: "see namespaces= in the file of allowed signers",
    Reason.SIGNER_UNKNOWN: "if you trust the signer, add the key to the file of allowed signers",
    Reason.SIGNER_NOT_ASKED_FOR: "ask for another --signer, or have the right person sign it",
    Reason.SIGNER_NOT_YET_VALID: "check the clock of this machine, and valid-after= in the file of allowed signers",
    Reason.SIGNER_EXPIRED: "check the clock of this machine; --verify-time says when it was signed, if you know that",
    Reason.SIGNER_REVOKED: "do not use the file; have it signed with another key",
    Reason.CERTIFICATE_REFUSED: "have the certificate made again: a user certificate with principals, without limits",
    Reason.NOT_TOUCHED: "sign again, and touch the security key when it blinks",
    Reason.TOO_FEW_SIGNERS: "have another person sign it with a key of their own: `xfer sign --as NAME`",
    Reason.TRUST_FILE_MISSING: "name the file of allowed signers with --allowed-signers",
    Reason.SEALED_MALFORMED: "get the file again from its maker",
    Reason.SEALED_FOR_OTHERS: "name your key with --identity, or have it sealed for you",
    Reason.SEALED_FOR_OTHER_BUNDLE: "use the secrets that were sealed for this bundle",
    Reason.STATEMENT_MALFORMED: "get the file again from its maker, or upgrade xfer",
    Reason.STATEMENT_FOR_OTHERS: "use the statement about these files",
    Reason.TOO_FEW_APPROVALS: "have another person approve it, who did not sign the bundle",
    Reason.PARTS_MALFORMED: "get the .parts file again from its maker",
    Reason.PART_MISSING: "name the directory that it is in with --parts-from",
    Reason.PART_ALTERED: "copy this part again",
}
"""What to do about each."""


class Distrusted(BundleRejected):
    """A file is refused for one ``reason``; nothing of it was used.

    ``details`` says what the text of the reason cannot: which key, which part, which field.
    """

    def __init__(self, what: str, reason: Reason, details: str = "") -> None:
        text = f"{what}: {TEXTS[reason]}" + (f": {details}" if details else "")
        super().__init__(text, hint=HINTS[reason])
        self.reason: Reason = reason
        self.details = details
