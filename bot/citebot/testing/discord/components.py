"""What Discord lets through as components of messages and modals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from citebot.testing.discord.refusing import Problems
from citebot.testing.discord.state import Json

ROW, BUTTON, SELECT, TEXT_INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR = 1, 2, 3, 4, 9, 10, 11, 12, 13, 14
CONTAINER, LABEL, UPLOAD, RADIO, CHECKS, CHECKBOX = 17, 18, 19, 21, 22, 23
SELECTS = (SELECT, 5, 6, 7, 8)
IN_ROW = (BUTTON, *SELECTS)
IN_CONTAINER = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR)
AT_TOP = (*IN_CONTAINER, CONTAINER)
IN_LABEL = (*SELECTS, TEXT_INPUT, UPLOAD, RADIO, CHECKS, CHECKBOX)
IN_MODAL = (ROW, TEXT, LABEL)
LINK, PREMIUM = 5, 6
MOST = 40
"""Components of a message in all."""
TEXT_MOST = 4000
"""Characters of all texts of a layout together."""

Path = tuple[str | int, ...]


def inside(component: Json) -> Iterator[tuple[str | int, Any]]:
    """The components directly in one, with the step of the path that leads there."""
    for name in ("accessory", "component"):
        if isinstance(component.get(name), dict):
            yield name, component[name]
    children = component.get("components")
    yield from enumerate(children if isinstance(children, list) else [])


def every(components: list[Json]) -> Iterator[Json]:
    """All components, nested ones too, in the order in which they are drawn."""
    for component in components:
        yield component
        nested = [c for name, c in inside(component) if name not in ("accessory", "component")]
        yield from every([*nested, *(c for name, c in inside(component) if name in ("accessory", "component"))])


def numbered(components: list[Json]) -> list[Json]:
    """Components as Discord stores them: each with an `id` of its own."""
    copies = [_copy(c) for c in components]
    taken = {c["id"] for c in every(copies) if c.get("id")}
    number = 0
    for component in every(copies):
        if not component.get("id"):
            number += 1
            while number in taken:
                number += 1
            component["id"] = number
    return copies


def _copy(component: Json) -> Json:
    copy = dict(component)
    for name in ("accessory", "component"):
        if isinstance(copy.get(name), dict):
            copy[name] = _copy(copy[name])
    if isinstance(copy.get("components"), list):
        copy["components"] = [_copy(c) for c in copy["components"]]
    return copy


def check_rows(found: Problems, components: Any, path: Path) -> None:
    """The components of a message without a layout: up to five rows."""
    if components is None:
        return
    found.length(path, components, 5)
    for number, row in enumerate(components if isinstance(components, list) else []):
        found.choice((*path, number, "type"), row.get("type"), (ROW,))
        if row.get("type") == ROW:
            _check_row(found, row, (*path, number))
    _check_whole(found, components if isinstance(components, list) else [], path)


def check_layout(found: Problems, components: Any, path: Path) -> None:
    """The components of a layout: 40 in all, with 4,000 characters."""
    found.length(path, components, MOST, 1)
    if not isinstance(components, list):
        return
    for number, component in enumerate(components):
        _check(found, component, (*path, number), AT_TOP)
    _check_whole(found, components, path)
    if sum(1 for _ in every(components)) > MOST:
        found.add(path, "BASE_TYPE_MAX_LENGTH", f"The total number of components must be {MOST} or fewer.")
    if sum(len(str(c.get("content") or "")) for c in every(components) if c.get("type") == TEXT) > TEXT_MOST:
        text = f"Total size of displayable text exceeds maximum size of {TEXT_MOST}"
        found.add(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text)


def check_modal(found: Problems, modal: Json) -> None:
    """A dialog."""
    found.length(("data", "custom_id"), modal.get("custom_id"), 100, 1)
    found.length(("data", "title"), modal.get("title"), 45, 1)
    components = modal.get("components")
    found.length(("data", "components"), components, 5, 1)
    for number, component in enumerate(components if isinstance(components, list) else []):
        _check(found, component, ("data", "components", number), IN_MODAL, modal=True)
    _check_whole(found, components if isinstance(components, list) else [], ("data", "components"))


def _check_whole(found: Problems, components: list[Json], path: Path) -> None:
    seen: set[str] = set()
    for component in every(components):
        key = component.get("custom_id")
        if key and key in seen:
            found.add(path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
            return
        if key:
            seen.add(key)


def _check(found: Problems, component: Any, path: Path, allowed: tuple[int, ...], *, modal: bool = False) -> None:
    kind = component.get("type") if isinstance(component, dict) else None
    found.choice((*path, "type"), kind, allowed)
    if kind == ROW and kind in allowed:
        _check_row(found, component, path, (TEXT_INPUT,) if modal else IN_ROW)
    elif kind in allowed:
        KINDS[kind](found, component, path)


def _check_section(found: Problems, section: Json, path: Path) -> None:
    found.length((*path, "components"), section.get("components"), 3, 1)
    for step, child in inside(section):
        if step == "accessory":
            _check(found, child, (*path, step), (BUTTON, THUMBNAIL))
        else:
            _check(found, child, (*path, "components", step), (TEXT,))
    if not section.get("accessory"):
        found.required((*path, "accessory"))


def _check_text(found: Problems, text: Json, path: Path) -> None:
    found.length((*path, "content"), text.get("content"), TEXT_MOST, 1)


def _check_thumbnail(found: Problems, thumbnail: Json, path: Path) -> None:
    _check_media(found, thumbnail.get("media"), path)


def _check_file(found: Problems, file: Json, path: Path) -> None:
    _check_media(found, file.get("file"), path)


def _check_gallery(found: Problems, gallery: Json, path: Path) -> None:
    found.length((*path, "items"), gallery.get("items"), 10, 1)
    for number, item in enumerate(gallery.get("items") or ()):
        _check_media(found, item.get("media"), (*path, "items", number))


def _check_separator(found: Problems, separator: Json, path: Path) -> None:
    if separator.get("spacing") is not None:
        found.choice((*path, "spacing"), separator["spacing"], (1, 2))


def _check_container(found: Problems, container: Json, path: Path) -> None:
    found.length((*path, "components"), container.get("components"), MOST, 1)
    for step, child in inside(container):
        _check(found, child, (*path, "components", step), IN_CONTAINER)


def _check_label(found: Problems, label: Json, path: Path) -> None:
    found.length((*path, "label"), label.get("label"), 45, 1)
    found.length((*path, "description"), label.get("description"), 100)
    _check(found, label.get("component"), (*path, "component"), IN_LABEL)


def _check_group(found: Problems, group: Json, path: Path) -> None:
    _check_key(found, group, path)
    _check_options(found, group.get("options"), path, most=10, least=2 if group["type"] == RADIO else 1)


def _check_key(found: Problems, component: Json, path: Path) -> None:
    found.length((*path, "custom_id"), component.get("custom_id"), 100, 1)


def _check_row(found: Problems, row: Json, path: Path, allowed: tuple[int, ...] = IN_ROW) -> None:
    children = row.get("components")
    found.length((*path, "components"), children, 5, 1)
    children = children if isinstance(children, list) else []
    wide = sum(1 if c.get("type") == BUTTON else 5 for c in children)
    for number, child in enumerate(children):
        if wide > 5 and number > 0:
            text = "The specified component exceeds the maximum width"
            found.add((*path, "components", number), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", text)
        _check(found, child, (*path, "components", number), allowed)


def _check_button(found: Problems, button: Json, path: Path) -> None:
    style = button.get("style")
    found.choice((*path, "style"), style, (1, 2, 3, 4, 5, 6))
    found.length((*path, "label"), button.get("label"), 80)
    if not button.get("label") and not button.get("emoji") and style != PREMIUM:
        found.required((*path, "label"))
    if style == LINK:
        found.length((*path, "url"), button.get("url"), 512, 1)
        scheme = urlsplit(str(button.get("url") or "https://")).scheme
        if scheme not in ("http", "https", "discord"):
            text = f"Scheme \"{scheme}\" is not supported. Scheme must be one of ('http', 'https', 'discord')."
            found.add((*path, "url"), "BUTTON_COMPONENT_INVALID_URL", text)
        if button.get("custom_id"):
            text = "A custom id and url cannot both be specified"
            found.add((*path, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_AND_URL", text)
    elif style != PREMIUM:
        _check_key(found, button, path)
        if button.get("url"):
            text = "A custom id and url cannot both be specified"
            found.add((*path, "url"), "BUTTON_COMPONENT_CUSTOM_ID_AND_URL", text)


def _check_select(found: Problems, select: Json, path: Path) -> None:
    _check_key(found, select, path)
    found.length((*path, "placeholder"), select.get("placeholder"), 150)
    if select["type"] == SELECT:
        _check_options(found, select.get("options"), path, most=25, least=1)
    for name, least in (("min_values", 0), ("max_values", 1)):
        _check_number(found, select.get(name), (*path, name), least, 25)


def _check_options(found: Problems, options: Any, path: Path, *, most: int, least: int) -> None:
    found.length((*path, "options"), options, most, least)
    seen = set()
    for number, option in enumerate(options if isinstance(options, list) else []):
        here = (*path, "options", number)
        for name, required in (("label", 1), ("value", 1), ("description", 0)):
            found.length((*here, name), option.get(name), 100, required)
        if option.get("value") in seen:
            text = "The specified option value is already used"
            found.add((*here, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", text)
        seen.add(option.get("value"))


def _check_input(found: Problems, field: Json, path: Path) -> None:
    _check_key(found, field, path)
    found.choice((*path, "style"), field.get("style"), (1, 2))
    found.length((*path, "label"), field.get("label"), 45, 0 if path[-1] == "component" else 1)
    found.length((*path, "placeholder"), field.get("placeholder"), 100)
    found.length((*path, "value"), field.get("value"), 4000)
    _check_number(found, field.get("min_length"), (*path, "min_length"), 0, 4000)
    _check_number(found, field.get("max_length"), (*path, "max_length"), 1, 4000)


def _check_media(found: Problems, media: Any, path: Path) -> None:
    url = str(media.get("url") or "") if isinstance(media, dict) else ""
    if not url:
        found.required((*path, "url"))
    elif urlsplit(url).scheme not in ("http", "https", "attachment"):
        text = f'Scheme "{urlsplit(url).scheme}" is not supported.'
        found.add((*path, "url"), "URL_TYPE_INVALID_SCHEME", text)


def _check_number(found: Problems, value: Any, path: Path, least: int, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or value < least:
        found.add(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
    elif value > most:
        found.add(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")


KINDS: dict[int, Callable[[Problems, Json, Path], None]] = {
    BUTTON: _check_button,
    **dict.fromkeys(SELECTS, _check_select),
    TEXT_INPUT: _check_input,
    SECTION: _check_section,
    TEXT: _check_text,
    THUMBNAIL: _check_thumbnail,
    GALLERY: _check_gallery,
    FILE: _check_file,
    SEPARATOR: _check_separator,
    CONTAINER: _check_container,
    LABEL: _check_label,
    RADIO: _check_group,
    CHECKS: _check_group,
    UPLOAD: _check_key,
    CHECKBOX: _check_key,
}
