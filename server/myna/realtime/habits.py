"""How sessions behave on this server: what it is set to, and what models' names imply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from myna.errors import BadRequest
from myna.realtime.configuration import Configuration, decoding_options, under
from myna.realtime.dialects import Dialect
from myna.realtime.items import Hearing, Manner


@dataclass(frozen=True, slots=True)
class Habits:
    """What the server is set to, and what models' names imply."""

    find: Callable[[str], Hearing]
    """The model of that name; raises MynaError."""
    counts_duration: Callable[[str], bool]
    """Whether a model's usage is in seconds."""
    lists_languages: Callable[[str], bool]
    """Whether a model tells which languages it heard."""
    beam_size: int = 5


def manner(configuration: Configuration, habits: Habits, dialect: Dialect) -> Manner:
    """How items are written down with these settings.

    Raises:
        MynaError: there is no such model, or it cannot do what is asked.
    """
    wishes = configuration.wishes
    hearing = habits.find(wishes.model)
    try:
        options = decoding_options(wishes, hearing.engine, habits.beam_size)
    except BadRequest as error:
        raise under(dialect.where, error) from error
    options = replace(options, token_logprobs=configuration.logprobs)
    return Manner(hearing, wishes, options)
