"""What clients have made, one by one: custom voices and consents are shown, renamed and deleted
alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from myna.api.context import Context
from myna.api.keeping import kept
from myna.api.kept_form import kept_form, named
from myna.api.responses import json_response
from myna.errors import NotFound
from myna.store.records import Records

About = TypeVar("About", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RecordKind(Generic[About]):
    """How records of one kind are answered.

    Methods raise NotFound where there is no record with that id, and as `kept` does.
    """

    noun: str
    """For people."""
    param: str
    """What errors call the id."""
    object: str
    """OpenAI's type of the object."""
    deleted_object: str
    """OpenAI's type of the answer to a deletion."""
    members: Callable[[About], dict[str, Any]]
    """What a record shows beside its id."""

    def shape(self, id_: str, about: About) -> dict[str, Any]:
        """A record as it is answered."""
        return {"object": self.object, "id": id_, **self.members(about)}

    async def retrieve(self, records: Records[About], id_: str) -> Response:
        """One record."""
        return json_response(self.shape(id_, await kept(lambda: self._found(records, id_))))

    async def rename(
        self, request: Request, shared: Context, records: Records[About], id_: str
    ) -> Response:
        """One record, called what the request's form says in `name`, JSON or multipart.

        Raises BadRequest for a name that is none.
        """
        async with await kept_form(request, shared) as form:
            name = named(form)

        def change() -> About:
            renamed = self._found(records, id_).model_copy(update={"name": name})
            if not records.change(id_, renamed):
                raise self._unknown(id_)
            return renamed

        return json_response(self.shape(id_, await kept(change)))

    async def delete(self, id_: str, delete: Callable[[], bool]) -> Response:
        """That a record is gone; `delete` tells whether it was there."""
        if not await kept(delete):
            raise self._unknown(id_)
        return json_response({"id": id_, "object": self.deleted_object, "deleted": True})

    def _found(self, records: Records[About], id_: str) -> About:
        about = records.find(id_)
        if about is None:
            raise self._unknown(id_)
        return about

    def _unknown(self, id_: str) -> NotFound:
        return NotFound(f"No {self.noun} found with id '{id_[:80]}'.", param=self.param)
