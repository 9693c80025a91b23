"""Members of a JSON object, read with their types; what is wrong is named by its full path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeVar, cast

from myna.errors import BadRequest

Choice = TypeVar("Choice")


class Fields:
    """An object that a client sent. Members that nobody asks for are ignored.

    Every reader raises BadRequest, with the member's path as param, where the member is not of its
    kind. An absent member and, but for `given`, one of null give the default.
    """

    def __init__(self, members: Mapping[str, object], path: str = "") -> None:
        self._members = members
        self._path = path

    def path(self, name: str) -> str:
        """Where the member is, such as `session.audio.input.format`."""
        return f"{self._path}.{name}" if self._path else name

    def given(self, name: str) -> bool:
        """Whether the member is there, null or not."""
        return name in self._members

    def empty(self, name: str) -> bool:
        """Whether the member is there and null."""
        return self.given(name) and self._members[name] is None

    def object(self, name: str) -> Fields | None:
        """A nested object."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.refuse(name, "an object")
        return Fields(cast("Mapping[str, object]", value), self.path(name))

    def text(self, name: str, default: str | None = None, most: int | None = None) -> str | None:
        """A text of at most `most` characters."""
        value = self._members.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.refuse(name, "a string")
        if most is not None and len(value) > most:
            self.refuse(name, f"a string of at most {most} characters")
        return value

    def choice(self, name: str, allowed: Sequence[Choice], default: Choice) -> Choice:
        """One of the allowed words."""
        value = self._members.get(name)
        if value is None:
            return default
        found = next((word for word in allowed if value == word), None)
        if found is None:
            self.refuse(name, f"one of {', '.join(repr(str(word)) for word in allowed)}")
        return found

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A number within bounds."""
        value = self._members.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(name, "a number")
        if not least <= value <= most:
            self.refuse(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        number = self.number(name, default, least, most)
        if number != int(number):
            self.refuse(name, f"a whole number from {least} to {most}")
        return int(number)

    def texts(self, name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._members.get(name)
        if value is None:
            return () if self.given(name) else tuple(default)
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        texts = tuple(item for item in items if isinstance(item, str))
        if not isinstance(value, list) or len(texts) != len(items):
            self.refuse(name, "a list of strings")
        return texts

    def each(self, name: str, allowed: Sequence[Choice]) -> frozenset[Choice]:
        """A list of words, all of them allowed."""
        found = self.texts(name)
        if set(found) - set(allowed):
            self.refuse(name, f"a list of {', '.join(repr(str(word)) for word in allowed)}")
        return frozenset(word for word in allowed if word in found)

    def literal(self, name: str, value: str, *, hint: str = "") -> None:
        """See that the member, if it is there, is this one word."""
        if self._members.get(name) not in (None, value):
            self.refuse(name, f"'{value}'{hint}")

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Say what the member should have been."""
        value = self._members.get(name)
        shown = repr(value) if isinstance(value, str | int | float) else type(value).__name__
        shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
        raise BadRequest(
            f"Invalid value for '{self.path(name)}': expected {wanted}, got {shown}.",
            param=self.path(name),
            code="invalid_value",
        )
