"""Names of blocks and variables inside values, as Prefect itself writes them: templates, typed values, pull steps.

This is Prefect's own language, in which there are no other kinds. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from bundle.model import Body, Json, Key, Pointer, name_of
from bundle.record.pointers import walk

_TEMPLATE = re.compile(r"\{\{\s*(?:prefect\.)?(blocks|variables)\.([\w.\-\[\]$]++)[^{}]*+\}\}")


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
        return (
            _TEMPLATE.sub(lambda match: _renamed_template(match, keys), value)
            if "{{" in value
            else _renamed_text(value, keys, named)
        )
    if not isinstance(value, dict):
        return value
    if value.get("__prefect_kind") == "workspace_variable":
        return value | {"variable_name": _name(keys, f"variable:{value['variable_name']}")}
    target = value.get("$ref")
    if isinstance(target, dict) and "block_document_slug" in target:
        return value | {"$ref": target | {"block_document_slug": _name(keys, f"block:{target['block_document_slug']}")}}
    return {name: _with_block(inputs, keys) for name, inputs in value.items()}


def _name(keys: Mapping[Key, Key], key: Key) -> str:
    return name_of(keys.get(key, key))


def _renamed_text(text: str, keys: Mapping[Key, Key], named: Collection[Key]) -> str:
    for key in named:
        before, after = name_of(key), _name(keys, key)
        if text == before:
            return after
        if text == before.rpartition("/")[2]:
            return after.rpartition("/")[2]
    return text


def _renamed_template(match: re.Match[str], keys: Mapping[Key, Key]) -> str:
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
