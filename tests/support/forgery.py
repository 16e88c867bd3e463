"""Bundles taken apart and put together again, changed, without the code that does so for xfer."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
import zstandard

from bundle.container.archive import pack
from bundle.container.limits import Limits
from bundle.container.reader import open_bundle
from bundle.errors import Corrupt
from bundle.model import Record
from bundle.record.canonical import encode, sha256_hex
from support.bundles import SAMPLE, Json, bundle_bytes, flow

Change = Callable[[Json], object]


SEAL = b"\x50\x2a\x4d\x18\x20\x00\x00\x00"


def unpacked(data: bytes) -> dict[str, bytes]:
    """The members of a bundle, taken apart without any of the code under test."""
    plain = b"".join(frames_plain(data))
    members: dict[str, bytes] = {}
    while plain[0]:
        size = int(plain[124:135], 8)
        members[plain[:100].rstrip(b"\0").decode()] = plain[512 : 512 + size]
        plain = plain[512 + size + -size % 512 :]
    assert plain == bytes(1024)
    return members


def frames(data: bytes) -> list[bytes]:
    """The frames of a bundle before its seal."""
    result = []
    assert data[-40:-32] == SEAL
    data = data[:-40]
    while data:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        decoder.decompress(data)
        result.append(data[: len(data) - len(decoder.unused_data)])
        data = decoder.unused_data
    return result


def frames_plain(data: bytes) -> list[bytes]:
    """The frames, unpacked."""
    return [zstandard.ZstdDecompressor().decompress(frame) for frame in frames(data)]


def frame(plain: bytes) -> bytes:
    """Bytes as a frame."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(plain)


def sealed(parts: Sequence[bytes]) -> bytes:
    """Frames with the seal that fits."""
    data = b"".join(parts)
    return data + SEAL + hashlib.sha256(data).digest()


def packed(members: dict[str, bytes]) -> bytes:
    """Members as a bundle, sealed."""
    return sealed([*(pack(name, data) for name, data in members.items()), frame(bytes(1024))])


def resummed(members: dict[str, bytes]) -> bytes:
    """Members as a bundle, with sums that fit."""
    sums = [f"{sha256_hex(data)}  {name}\n" for name, data in members.items() if name != "SHA256SUMS"]
    members["SHA256SUMS"] = "".join(sums).encode()
    return packed(members)


def forged(change: Change, data: bytes | None = None, *, canonical: bool = True) -> bytes:
    """A bundle whose manifest was changed and whose sums were made to fit."""
    members = unpacked(data or bundle_bytes(*SAMPLE))
    manifest = msgspec.json.decode(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = encode(manifest) if canonical else msgspec.json.encode(manifest) + b" "
    return resummed(members)


def with_line(line: bytes) -> bytes:
    """A bundle of one flow whose line was replaced, with every digest made to fit but the record's own."""
    members = unpacked(bundle_bytes(flow("a")))
    manifest = msgspec.json.decode(members["manifest.json"])
    manifest["members"][0] |= {"size": len(line) + 1, "sha256": sha256_hex(line + b"\n")}
    try:
        record = msgspec.json.decode(line, type=Record)
    except (ValueError, RecursionError):
        pass
    else:
        manifest["content_digest"] = sha256_hex(f"{record.digest}\n".encode())
        manifest["secrets"] = [
            {"slot": secret.slot, "resource": record.key, "pointer": secret.pointer, "type": secret.type}
            for secret in record.secrets
        ]
    return resummed({"manifest.json": encode(manifest), "resources/000-flow-0001.ndjson": line + b"\n"})


def signed(value: Json) -> bytes:
    """A record line with a digest that fits, whatever the record says."""
    return encode(value | {"digest": sha256_hex(encode(value))})


def unsigned(**fields: Any) -> Json:
    """What a record line says, but for its digest."""
    return {"key": "flow:a", "body": {"name": "a"}, "references": [], "secrets": []} | fields


def refused(data: bytes, why: str | None = None, limits: Limits | None = None) -> Corrupt:
    """The refusal of a bundle, which must say why and give a hint."""
    with pytest.raises(Corrupt, match=why) as caught:
        list(open_bundle(io.BytesIO(data), limits).records())
    assert caught.value.hint
    return caught.value
