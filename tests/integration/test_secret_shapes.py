"""Secrets of blocks that Prefect's own SDK saves: in no byte of a bundle or of an output, and back from a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings

from bundle.server.process import Server
from conftest import ServerPool
from support.commands import xfer
from support.shapes import CANARY, Shape, block_class, compositions

SHAPES: list[Shape] = list(compositions())


@pytest.fixture(scope="module")
def classes() -> list[Any]:
    """A block class for each shape."""
    return [block_class(shape, number) for number, shape in enumerate(SHAPES)]


def plain(block: Block) -> Any:
    """What a block really holds."""
    return block.model_dump(mode="json", context={"include_secrets": True}, include={"field", "note"}, by_alias=True)


def test_every_shape_comes_back(
    classes: list[Any],
    source_server: Server,
    destination_server: Server,
    server_pool: ServerPool,
    tmp_path: Path,
) -> None:
    """One field of a made-up block for each shape, its secret a text found nowhere else."""
    assert len(SHAPES) >= 60
    server_pool.load(source_server, server_pool.empty_database)
    with temporary_settings({PREFECT_API_URL: source_server.url}):
        for number, (made, shape) in enumerate(zip(classes, SHAPES, strict=True)):
            made(field=shape.value).save(f"shape-{number}", overwrite=True)
        before = [plain(made.load(f"shape-{number}")) for number, made in enumerate(classes)]

    bundle, secrets = tmp_path / "env.pxb", tmp_path / "secrets.json"
    exported = xfer("export", "--from", source_server.url, "-o", str(bundle), "-v")
    listed = xfer("inspect", str(bundle), "--json")
    packed = io.BytesIO(bundle.read_bytes())
    unpacked = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()
    for text in (exported.out, exported.err, listed.out, unpacked.decode()):
        assert CANARY not in text

    secrets.write_text(json.dumps(dict(_values(listed.document, before))))
    secrets.chmod(0o600)
    imported = xfer("import", str(bundle), "--to", destination_server.url, "--secrets", str(secrets), "-v")
    assert imported.code == 0, imported.out
    receipts = b"".join(path.read_bytes() for path in tmp_path.glob("*.receipt"))
    assert CANARY not in imported.out + imported.err + receipts.decode()
    with temporary_settings({PREFECT_API_URL: destination_server.url}):
        after = [plain(made.load(f"shape-{number}")) for number, made in enumerate(classes)]
    assert after == before


def _values(report: Any, blocks: list[Any]) -> Any:
    """The value of each slot, taken from what the source holds."""
    for slot in report["secrets"]:
        key, _, pointer = slot["slot"].partition("#/data/")
        value: Any = blocks[int(key.rpartition("-")[2])]
        for token in pointer.split("/"):
            name = token.replace("~1", "/").replace("~0", "~")
            value = value[int(name)] if isinstance(value, list) else value[name]
        yield slot["slot"], value
