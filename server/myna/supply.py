"""The files of a model that nobody named at the start: found, checked, and fetched if allowed."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from myna.errors import Conflict, EngineFailure
from myna.store.cards import Card
from myna.store.progress import folder_bytes
from myna.store.weights import Weights

_log = logging.getLogger("myna.supply")

_LOOK_S = 0.5
"""How often the progress of a download is looked at."""
_STOP_S = 5.0
"""How long a download that is broken off may take to tidy up."""


class CardSupply:
    """Gets the files of one card in place.

    They are read against the card's checksums before they are loaded for the first time. Fetching
    is `myna pull` in a process of its own, which can be ended when the server is.
    """

    def __init__(self, card: Card, weights: Weights, *, fetch: bool, flags: Sequence[str]) -> None:
        """`fetch` allows it to download; `flags` tell `myna pull` which cards and which folder."""
        self.size_bytes = card.bytes
        self.done: float | None = None
        self._card = card
        self._weights = weights
        self._fetch = fetch
        self._flags = flags
        self._checked = False

    def folder(self) -> Path:
        """Where the files are; blocks."""
        return self._weights.folder(self._card)

    async def ready(self) -> None:
        """Return when the files are there and the right ones; may be cancelled.

        Raises:
            Conflict: some are missing, and may not be fetched.
            EngineFailure: they cannot be had, or are not what the card says.
        """
        if await asyncio.to_thread(self._weights.missing, self._card):
            self._checked = False
            await self._pull()
        if not self._checked:
            await self._check()

    async def _check(self) -> None:
        bad = await asyncio.to_thread(self._weights.verify, self._card)
        if bad:
            for path in bad:
                _log.error("%s: not as its card says: %s", self._card.id, path)
            names = ", ".join(path.name for path in bad)
            raise EngineFailure(
                f"The weights of {self._card.id} are damaged ({names}); the server's log says "
                f"where. Delete these and run `myna pull {self._card.id}`."
            )
        self._checked = True

    async def _pull(self) -> None:
        id_ = self._card.id
        if not self._fetch:
            raise Conflict(
                f"The weights of {id_} are not on this machine ({self.size_bytes / 1e6:.0f} MB), "
                f"and this server does not fetch them (setting fetch_on_load): run `myna pull "
                f"{id_}` on it."
            )
        self.done, begun_s = 0.0, time.monotonic()
        _log.info("fetching %s (%.0f MB)", id_, self.size_bytes / 1e6)
        try:
            code, said = await self._run()
        finally:
            self.done = None
        if code:
            # It names paths and addresses: not for clients.
            _log.error("cannot fetch %s: %s", id_, said)
            raise EngineFailure(
                f"The weights of {id_} cannot be fetched; the server's log says why."
            )
        _log.info("fetched %s in %.1f s", id_, time.monotonic() - begun_s)

    async def _run(self) -> tuple[int, str]:
        """Exit status of `myna pull`, and what it said at last."""
        pulling = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "myna", "pull", self._card.id, *self._flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        looking = asyncio.create_task(self._look())
        try:
            _, said = await pulling.communicate()
        except asyncio.CancelledError:
            pulling.terminate()
            try:
                await asyncio.wait_for(pulling.wait(), _STOP_S)
            except TimeoutError:
                pulling.kill()
            raise
        finally:
            looking.cancel()
        return pulling.returncode or 0, said.decode("utf-8", "replace").strip()

    async def _look(self) -> None:
        own = self._weights.directory / self._card.id
        while True:
            have_bytes = await asyncio.to_thread(folder_bytes, own)
            self.done = min(have_bytes / self.size_bytes, 0.99)
            await asyncio.sleep(_LOOK_S)
