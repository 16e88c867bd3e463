"""The options that say which resources are meant, and what is to be different: a selection and an overlay.

docs/overlay.md describes both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from bundle.cli import documents
from bundle.environment.selection import Selection
from bundle.errors import UsageError
from bundle.model import Bundle, Json, Key
from bundle.plan.overlay import NO_OVERLAY, Overlay

T = TypeVar("T")

_FORM = (
    "its parts are [map], [set] and [[patch]] with match, at, merge, put and remove; "
    "in TOML a key with a colon or a slash is in quotes, and true and false are not"
)


class OverlayOptions(msgspec.Struct, frozen=True):
    """The options of an overlay as given, and its file as read."""

    maps: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    file: Overlay = NO_OVERLAY

    def for_bundle(self, bundle: Bundle) -> Overlay:
        """The overlay for a bundle; options override the file.

        Raises:
            UsageError: an option is malformed.
        """
        maps = dict(_split(each, "--map", "KIND:OLD=NEW") for each in self.maps)
        texts = dict(_split(each, "--set", "variable:NAME=VALUE") for each in self.values)
        values = {key: _value(key, text, bundle) for key, text in texts.items()}
        owners = dict(_split(each, "--owner", "automation:GLOB=deployment:FLOW/NAME") for each in self.owners)
        return Overlay(self.file.map | maps, self.file.set | values, self.file.patch, self.file.owners | owners)


def selection(function: Callable[..., T]) -> Callable[..., T]:
    """Which resources are meant; the command gets one ``selection``."""

    @click.option("--include", metavar="KIND[:GLOB]", multiple=True, help="Include only these, and what they need.")
    @click.option("--exclude", metavar="KIND[:GLOB]", multiple=True, help="Exclude these; overrides --include.")
    @click.option(
        "--tag",
        "tags",
        metavar="TAG",
        multiple=True,
        help="Include only what has this tag. Repeat it to require several tags.",
    )
    @click.option(
        "--no-dependencies",
        is_flag=True,
        help="Do not include what the selected resources need; it must be at the destination already.",
    )
    @functools.wraps(function)
    def gathered(
        *args: Any,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        tags: tuple[str, ...],
        no_dependencies: bool,
        **rest: Any,
    ) -> T:
        chosen = Selection(include, exclude, tags, dependencies=not no_dependencies)
        return function(*args, selection=chosen, **rest)

    return gathered


def overlay(function: Callable[..., T]) -> Callable[..., T]:
    """What is to be different from the bundle; the command gets one ``overlay``."""

    @click.option(
        "--map",
        "maps",
        metavar="KIND:OLD=NEW",
        multiple=True,
        help="Give a resource another name, wherever it is used.",
    )
    @click.option(
        "--set", "values", metavar="variable:NAME=VALUE", multiple=True, help="Give a variable another value."
    )
    @click.option(
        "--owner",
        "owners",
        metavar="automation:GLOB=deployment:KEY",
        multiple=True,
        help="Say which deployment owns automations, so that its next deploy replaces them.",
    )
    @click.option(
        "--overlay",
        "overlay_file",
        metavar="FILE",
        help="TOML or JSON file with names, values, patches and owners.",
    )
    @functools.wraps(function)
    def gathered(
        *args: Any,
        maps: tuple[str, ...],
        values: tuple[str, ...],
        owners: tuple[str, ...],
        overlay_file: str | None,
        **rest: Any,
    ) -> T:
        return function(*args, overlay=OverlayOptions(maps, values, owners, read_overlay(overlay_file)), **rest)

    return gathered


def _split(text: str, option: str, form: str) -> tuple[Key, str]:
    key, equals, value = text.partition("=")
    if not equals or ":" not in key:
        raise UsageError(f"{option} {text!r} is not of the form {form}", hint=f"write {option} '{form}'")
    return key, value


def _value(key: Key, text: str, bundle: Bundle) -> Json:
    """A text where the bundle has one, else JSON: a number stays a number."""
    found = next((placed.record.body.get("value") for placed in bundle.records if placed.record.key == key), "")
    if isinstance(found, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise UsageError(
            f"--set {key}: the bundle's value is not a string, and {text!r} is not JSON",
            hint="write JSON, or use a file",
        ) from None


def read_overlay(name: str | None) -> Overlay:
    """The overlay in a file; an empty one where no file was named.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    if name is None:
        return NO_OVERLAY
    document = documents.parsed(Path(name), what="an overlay", form=_FORM)
    try:
        return msgspec.convert(document, Overlay)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}", hint=_FORM) from None
