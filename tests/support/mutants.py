"""Mutants of small bundles. Each has a number, and is made from it alone: ``mutant(number)`` makes it again."""

from __future__ import annotations

import random
import runpy
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from bundle.record.canonical import encode
from support.forgery import frames

FIXTURES = Path(__file__).parents[2] / "fixtures"

make: Any = types.SimpleNamespace(**runpy.run_path(str(FIXTURES / "hostile" / "make.py")))
FILES = (
    FIXTURES / "golden" / "format-1.0.pxb",
    *(FIXTURES / "hostile" / f"{name}.pxb" for name in ("whole", "legal-cycle", "nasty-slots", "newer-minor")),
)


BASES = tuple(path.read_bytes() for path in FILES)
FRAMES = tuple(map(frames, BASES))
PLAINS = tuple([zstandard.ZstdDecompressor().decompress(each) for each in parts] for parts in FRAMES)


def content(plain: bytes) -> bytes:
    """The data of a member."""
    return plain[512 : 512 + int(plain[124:135], 8)]


def parsed(plains: list[bytes]) -> tuple[Any, list[Any]]:
    """The manifest, and the records, each as a pair of wave and JSON."""
    manifest = msgspec.json.decode(content(plains[0]))
    records = [
        (entry["wave"], msgspec.json.decode(line))
        for entry, plain in zip(manifest["members"], plains[1:-2], strict=True)
        for line in content(plain).splitlines()
    ]
    return manifest, records


PARSED = tuple(map(parsed, PLAINS))


def packed(plains: list[bytes]) -> bytes:
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    return bytes(make.sealed(map(compressor.compress, plains)))


# Ways to change bytes


def flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[chance.randint(start, len(data)) :]


def doubled(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted(chance.sample(range(len(data) + 1), 2))
    return data[:end] + data[start:]


def spliced(chance: random.Random, data: bytes) -> bytes:
    other = chance.choice(BASES)
    start, place = chance.randrange(len(other)), chance.randrange(len(data))
    return data[:place] + other[start : start + chance.randrange(64)] + data[place + chance.randrange(64) :]


def inserted(chance: random.Random, data: bytes) -> bytes:
    place = chance.randint(0, len(data))
    token = chance.choice((b"\0", b'"', b"\\", b"\n", b"{", b"]", b",", b"1", b"-", b"\xff", b"\x1b", b"\\u0000"))
    return data[:place] + token * chance.choice((1, 1, 2, 500)) + data[place:]


BYTES = (flipped, cut, doubled, spliced, inserted)


def damaged(chance: random.Random, data: bytes) -> bytes:
    return chance.choice(BYTES)(chance, data or b"\0")


# Ways to change JSON


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 2**64, 10**40, 0.5, -0.0, 1e300, "", "flow:a", "/x", "/value", "x", "~"),
    *(
        "/~2",
        "\n",
        "\x1b[31m",
        "\u202e",
        "e\u0301",
        "0" * 64,
        "1.0",
        "1.7",
        "2.0",
        "uuid",
        "member",
        "name",
        "a" * 70_000,
    ),
    *([], {}, [[]], {"": None}, [None] * 70, {"pointer": "/name", "target": "flow:a"}),
)


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a value: the container, and the name or index in it."""
    rest = [value]
    while rest:
        container = rest.pop()
        places = list(container) if isinstance(container, dict) else range(len(container))
        for place in places:
            yield container, place
            if isinstance(container[place], dict | list):
                rest.append(container[place])


def copied(value: Any) -> Any:
    return msgspec.json.decode(encode(value))


def deep(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def twisted(chance: random.Random, value: Any) -> Any:
    """A value with some of its nodes taken away, set, nested, swapped or renamed."""
    value = copied(value)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(nodes(value))
        if places:
            chance.choice(TWISTS)(chance, *chance.choice(places), chance.choice(places))
    return value


def _set(chance: random.Random, container: Any, place: Any, _other: Any) -> None:
    container[place] = copied(chance.choice(VALUES))


def _drop(_chance: random.Random, container: Any, place: Any, _other: Any) -> None:
    del container[place]


def _nest(chance: random.Random, container: Any, place: Any, _other: Any) -> None:
    container[place] = deep(chance.choice((1, 58, 59, 60, 61, 62, 63, 64, 65, 200)))


def _swap(_chance: random.Random, container: Any, place: Any, other: Any) -> None:
    container[place] = copied(other[0][other[1]])


def _grow(chance: random.Random, container: Any, place: Any, _other: Any) -> None:
    old = container[place]
    if isinstance(container, list):
        container.insert(chance.randint(0, len(container)), copied(old))
    else:
        container[chance.choice(("zz", "", "key", "digest", str(place) + "x"))] = copied(old)


def _shift(chance: random.Random, container: Any, place: Any, _other: Any) -> None:
    old = container[place]
    if isinstance(old, str):
        container[place] = damaged(chance, old.encode()).decode(errors="ignore")
    elif isinstance(old, int):
        container[place] = old + chance.choice((-1, 1, 512))


TWISTS = (_set, _drop, _nest, _swap, _grow, _shift)


# Ways to change a bundle


def resigned(record: Any) -> bytes:
    """A record's line with a digest that fits, where it still is an object."""
    if not isinstance(record, dict):
        return encode(record)
    rest = {name: value for name, value in record.items() if name != "digest"}
    return encode(rest | {"digest": make.sha256(encode(rest))})


def row_of(wave: int, kind: str, line: bytes, record: Any) -> Any:
    """What ``make`` puts into a bundle, with what the manifest should say of it, as far as that can be told."""
    try:
        slots = [
            {"slot": each["slot"], "resource": record["key"], "pointer": each["pointer"], "type": each["type"]}
            for each in record["secrets"]
        ]
    except (TypeError, KeyError, AttributeError):
        slots = []
    digest = msgspec.json.decode(line)["digest"] if isinstance(record, dict) else "0" * 64
    return make.Row(wave, kind, line, digest, slots)


def rows_of(records: list[Any]) -> list[Any]:
    return [row_of(wave, record["key"].partition(":")[0], resigned(record), record) for wave, record in records]


def rebuilt(rows: list[Any], number: int) -> bytes:
    """A bundle of these rows whose manifest tells the truth, in the version of its base."""
    version = PARSED[number][0]["format"]
    return packed(make.parts(rows, lambda manifest: manifest.update(format=version)))


def whole_bytes(chance: random.Random, number: int) -> bytes:
    return damaged(chance, BASES[number])


def bytes_below_the_seal(chance: random.Random, number: int) -> bytes:
    return bytes(make.sealed([damaged(chance, BASES[number][:-40])]))


def order_of_frames(chance: random.Random, number: int) -> bytes:
    parts = [*FRAMES[number], *chance.choice(FRAMES)]
    return bytes(make.sealed(chance.sample(parts, chance.randint(1, len(FRAMES[number]) + 1))))


def bytes_of_a_member(chance: random.Random, number: int) -> bytes:
    plains = PLAINS[number].copy()
    index = chance.randrange(len(plains))
    plains[index] = damaged(chance, plains[index])
    return packed(plains)


def text_of_the_manifest(chance: random.Random, number: int) -> bytes:
    plains = PLAINS[number]
    named = [("manifest.json", damaged(chance, content(plains[0])))]
    named += [(plain[:100].rstrip(b"\0").decode(), content(plain)) for plain in plains[1:-2]]
    return packed(make.plains_of(named))


def values_of_the_manifest(chance: random.Random, number: int) -> bytes:
    manifest = twisted(chance, PARSED[number][0])
    named = [("manifest.json", encode(manifest))]
    named += [(plain[:100].rstrip(b"\0").decode(), content(plain)) for plain in PLAINS[number][1:-2]]
    return packed(make.plains_of(named))


def values_of_a_record(chance: random.Random, number: int) -> bytes:
    records = PARSED[number][1]
    rows = rows_of(records)
    index = chance.randrange(len(rows))
    record = twisted(chance, records[index][1])
    rows[index] = row_of(rows[index].wave, rows[index].kind, resigned(record), record)
    return rebuilt(rows, number)


def text_of_a_record(chance: random.Random, number: int) -> bytes:
    rows = rows_of(PARSED[number][1])
    index = chance.randrange(len(rows))
    rows[index] = rows[index]._replace(line=damaged(chance, rows[index].line))
    return rebuilt(rows, number)


def order_of_records(chance: random.Random, number: int) -> bytes:
    records = [*PARSED[number][1], *chance.choice(PARSED)[1]]
    chosen = chance.sample(records, chance.randint(1, min(len(records), 8)))
    moved = [(chance.choice((wave, wave, 0, 1, 2)), record) for wave, record in chosen]
    if chance.random() < 0.8:
        moved.sort(key=lambda each: (each[0], each[1]["key"].partition(":")[0], each[1]["key"]))
    return rebuilt(rows_of(moved), number)


WAYS: tuple[Callable[[random.Random, int], bytes], ...] = (
    *(whole_bytes, bytes_below_the_seal, order_of_frames, bytes_of_a_member, text_of_the_manifest),
    *(values_of_the_manifest, values_of_a_record, text_of_a_record, order_of_records),
)
# Where a mutant is now and then a bundle of its own: so these reach the deepest checks.
OPEN = (values_of_the_manifest, values_of_a_record, order_of_records)
# Where every digest stays as it was, only the bundle itself may come out again.
CLOSED = (whole_bytes, bytes_below_the_seal, order_of_frames)


def mutant(number: int) -> tuple[Callable[[random.Random, int], bytes], int, bytes]:
    """The mutant of a number: the way it was made, the number of its base, and its bytes."""
    chance = random.Random(f"mutant {number}")
    way, base = WAYS[number % len(WAYS)], chance.randrange(len(BASES))
    return way, base, way(chance, base)
