"""Finds references in bodies, cuts ids out of them and puts ids back in.

Rules:

1. An id is a UUID, with or without dashes. It is a reference when a resource
   of the same environment has it, wherever it stands: a field of its own, part
   of a label, a template, free text, even a member name.
2. Cutting leaves the text around the id as it was; where the id stood is
   recorded beside the body, so no text of a user can be mistaken for a mark.
3. Ids that no resource has stay as they are and are reported.
4. References by name are recorded, never rewritten here.

Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from bundle.model import Body, Json, Key, Pointer, Reference
from bundle.record.pointers import join, split, walk

NIL_ID = "00000000-0000-0000-0000-000000000000"

# With dashes an id is found even between other hex digits; without, only where it stands alone.
_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?<![0-9a-fA-F])[0-9a-fA-F]{32}(?![0-9a-fA-F])"
)
_SHORTEST = 32
_TEMPLATE = re.compile(r"\{\{\s*(?:prefect\.)?(blocks|variables)\.([\w.\-\[\]$]++)[^{}]*+\}\}")
# Resource ids of what no environment hands on: runs, and the account and people of a Cloud workspace.
_FOREIGN_LABEL = re.compile(
    r"^!?(?:prefect\.(?:flow|task)-run|prefect-cloud\.(?:account|workspace|actor|user|team))\.[0-9a-f]"
)


class Found(msgspec.Struct, frozen=True):
    """An id found in a body: where, whose, and in which form."""

    pointer: Pointer
    id: str
    form: Literal["uuid", "hex", "member"]
    offset: int = 0


class Cut(msgspec.Struct, frozen=True):
    """A body without ids: what was cut out, and what looked like an id but is nobody's."""

    body: Body
    found: tuple[Found, ...]
    unexplained: tuple[tuple[Pointer, str], ...]


def normal_id(text: str) -> str:
    """The one spelling of an id: lower case, with dashes."""
    digits = text.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_id(text: str) -> bool:
    """Whether the whole text is an id."""
    return bool(_UUID.fullmatch(text))


def blank_ids(text: str) -> str:
    """The text with every id replaced by the nil id, to order things without looking at ids."""
    return _UUID.sub(NIL_ID, text)


def replace_ids(text: str, value_of: Callable[[str], str | None]) -> str:
    """The text with each id replaced, unless ``value_of`` gives None for it."""
    return _UUID.sub(lambda match: value_of(normal_id(match[0])) or match[0], text)


def cut(body: Body, is_known: Callable[[str], bool], name_of: Callable[[str], Key]) -> Cut:
    """Cut every known id out of ``body``.

    ``name_of`` gives the key that stands for an id inside a member name.
    """
    cutter = _Cutter(is_known, name_of)
    bare: Body = cutter.value(body, ())
    return Cut(bare, tuple(cutter.found), tuple(cutter.unexplained))


class _Cutter:
    """Walks a body once, gathering what it cuts out."""

    def __init__(self, is_known: Callable[[str], bool], name_of: Callable[[str], Key]) -> None:
        self._is_known = is_known
        self._name_of = name_of
        self.found: list[Found] = []
        self.unexplained: list[tuple[Pointer, str]] = []

    def value(self, value: Json, path: tuple[str, ...]) -> Json:
        if isinstance(value, str):
            return self._text(value, path) if len(value) >= _SHORTEST else value
        if isinstance(value, list):
            return [self.value(item, (*path, str(position))) for position, item in enumerate(value)]
        return self._members(value, path) if isinstance(value, dict) else value

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        kept: list[str] = []
        length = start = 0
        for match in _UUID.finditer(text):
            identifier = normal_id(match[0])
            if self._is_known(identifier):
                kept.append(text[start : match.start()])
                length += match.start() - start
                start = match.end()
                self.found.append(Found(join(*path), identifier, _form(match[0]), length))
            elif _form(match[0]) == "uuid" and identifier != NIL_ID:
                self.unexplained.append((join(*path), identifier))
        return "".join((*kept, text[start:])) if kept else text

    def _members(self, value: Body, path: tuple[str, ...]) -> Body:
        result: Body = {}
        for name, item in value.items():
            renamed, hit = self._name(name, path) if len(name) >= _SHORTEST else (name, None)
            if hit is not None and renamed not in value:
                self.found.append(hit)
                result[renamed] = self.value(item, (*path, renamed))
            else:
                result[name] = self.value(item, (*path, name))
        return result

    def _name(self, name: str, path: tuple[str, ...]) -> tuple[str, Found | None]:
        matches = list(_UUID.finditer(name))
        identifier = matches[0][0] if len(matches) == 1 else NIL_ID
        if identifier != normal_id(identifier) or not self._is_known(identifier):
            return name, None
        start, end = matches[0].span()
        renamed = name[:start] + self._name_of(identifier) + name[end:]
        return renamed, Found(join(*path, renamed), identifier, "member", start)


def _form(text: str) -> Literal["uuid", "hex"]:
    return "uuid" if "-" in text else "hex"


def put_back(body: Body, references: Iterable[Reference], value_of: Callable[[Reference], str]) -> Body:
    """The body with the destination's ids in the places that references name."""
    rewritten = [reference for reference in references if reference.form != "name"]
    if not rewritten:
        return body
    inserts: dict[tuple[str, ...], list[Reference]] = {}
    renames: dict[tuple[str, ...], Reference] = {}
    for reference in rewritten:
        path = tuple(split(reference.pointer))
        if reference.form == "member":
            renames[path] = reference
        else:
            inserts.setdefault(path, []).append(reference)

    def visit(value: Json, path: tuple[str, ...]) -> Json:
        if isinstance(value, str):
            return _insert(value, inserts.get(path, ()), value_of)
        if isinstance(value, list):
            return [visit(item, (*path, str(position))) for position, item in enumerate(value)]
        if isinstance(value, dict):
            return {
                _rename(name, renames.get((*path, name)), value_of): visit(item, (*path, name))
                for name, item in value.items()
            }
        return value

    full: Body = visit(body, ())
    return full


def _insert(text: str, references: Iterable[Reference], value_of: Callable[[Reference], str]) -> str:
    pieces: list[str] = []
    start = 0
    for reference in sorted(references, key=lambda each: each.offset):
        pieces += [text[start : reference.offset], _spell(reference, value_of)]
        start = reference.offset
    return "".join((*pieces, text[start:])) if pieces else text


def _rename(name: str, reference: Reference | None, value_of: Callable[[Reference], str]) -> str:
    if reference is None:
        return name
    after = reference.offset + len(reference.target)
    return name[: reference.offset] + value_of(reference) + name[after:]


def _spell(reference: Reference, value_of: Callable[[Reference], str]) -> str:
    value = value_of(reference)
    return value.replace("-", "") if reference.form == "hex" else value


def template_names(value: Json) -> Iterator[tuple[Pointer, Key]]:
    """Blocks and variables that templates and typed values inside ``value`` name.

    Covers ``{{ prefect.blocks.<slug>.<name> }}``, ``{{ prefect.variables.<name> }}``,
    ``{"__prefect_kind": "workspace_variable", …}`` and
    ``{"$ref": {"block_document_slug": "<slug>/<name>"}}``.
    """
    for pointer, part in walk(value):
        if isinstance(part, str) and "{{" in part:
            yield from ((pointer, key) for key in _templates(part))
        elif isinstance(part, dict):
            yield from _typed(pointer, part)


def _templates(text: str) -> Iterator[Key]:
    for match in _TEMPLATE.finditer(text):
        names = match[2].split(".")
        if match[1] == "variables":
            yield f"variable:{names[0]}"
        elif len(names) > 1:
            yield f"block:{names[0]}/{names[1]}"


def _typed(pointer: Pointer, part: Body) -> Iterator[tuple[Pointer, Key]]:
    if part.get("__prefect_kind") == "workspace_variable" and isinstance(part.get("variable_name"), str):
        yield pointer, f"variable:{part['variable_name']}"
    target = part.get("$ref")
    if isinstance(target, dict) and isinstance(target.get("block_document_slug"), str):
        yield pointer, f"block:{target['block_document_slug']}"


def renamed(value: Json, keys: Mapping[Key, Key], named: Collection[Key]) -> Json:
    """What names resources at one place, naming others instead: ``keys`` has the new key of each old one.

    ``named`` are the keys that are named there; a text without templates is one's full name, or its last part.
    """
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda match: _retold(match, keys), value) if "{{" in value else _told(value, keys, named)
    if not isinstance(value, dict):
        return value
    if value.get("__prefect_kind") == "workspace_variable":
        return value | {"variable_name": _name(keys, f"variable:{value['variable_name']}")}
    target = value.get("$ref")
    if isinstance(target, dict) and "block_document_slug" in target:
        return value | {"$ref": target | {"block_document_slug": _name(keys, f"block:{target['block_document_slug']}")}}
    return {name: _with_block(inputs, keys) for name, inputs in value.items()}


def _name(keys: Mapping[Key, Key], key: Key) -> str:
    return keys.get(key, key).partition(":")[2]


def _told(text: str, keys: Mapping[Key, Key], named: Collection[Key]) -> str:
    for key in named:
        before, after = key.partition(":")[2], _name(keys, key)
        if text == before:
            return after
        if text == before.rpartition("/")[2]:
            return after.rpartition("/")[2]
    return text


def _retold(match: re.Match[str], keys: Mapping[Key, Key]) -> str:
    parts = 1 if match[1] == "variables" else 2
    names = match[2].split(".")
    key = f"{'variable' if parts == 1 else 'block'}:{'/'.join(names[:parts])}"
    path = ".".join([*_name(keys, key).split("/"), *names[parts:]])
    start, end = match.start(2) - match.start(), match.end(2) - match.start()
    return match[0][:start] + path + match[0][end:]


def _with_block(inputs: Json, keys: Mapping[Key, Key]) -> Json:
    if not (isinstance(inputs, dict) and {"block_type_slug", "block_document_name"} <= inputs.keys()):
        return inputs
    slug, name = _name(keys, f"block:{inputs['block_type_slug']}/{inputs['block_document_name']}").split("/", 1)
    return inputs | {"block_type_slug": slug, "block_document_name": name}


def is_foreign_label(text: str) -> bool:
    """Whether a label value names something of the source that no bundle holds, and that exists nowhere else."""
    return bool(_FOREIGN_LABEL.match(text))
