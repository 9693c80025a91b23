"""Finds calls that block an event loop, in this process or in all that a server consists of."""

from __future__ import annotations

import os
import traceback
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import blockbuster.blockbuster
from blockbuster import BlockBusterFunction, BlockingError, blockbuster_ctx

# Beyond what the detector knows by itself.
ALSO_BLOCKING = ("builtins.open", "os.open", "os.fsync", "os.pread", "os.ftruncate")

# Locks that are held for a few instructions and never across work, input or output.
MAY_WAIT_FOR_A_LOCK = [
    # The fair queue is a heap; workers leave it before they run a batch.
    ("myna/scheduling/workers.py", {"submit", "cancel", "queued_s"}),
    # A stream's flags; its reader leaves them before it waits for the decoder.
    ("myna/audio/decode.py", {"close"}),
    # A future's state, while a worker thread sets it.
    ("concurrent/futures/_base.py", {"add_done_callback", "cancel", "cancelled", "result"}),
]
MAY_BLOCK = [
    # While nobody is served yet: modules are imported, and a replica builds its app.
    ("<frozen importlib._bootstrap>", {"_find_and_load"}),
    ("myna/cluster/replica.py", {"start"}),
    # A line of the log: the detector itself lets standard error be, but not what Ray makes of it.
    ("logging/__init__.py", {"emit", "flush"}),
    # Of the kernel's memory, not of a disk.
    ("myna/machine.py", {"resident_bytes"}),
]
MAY_READ_FILES = [
    # Python reads source files to print a traceback.
    ("linecache.py", {"checkcache", "updatecache"}),
    # FastAPI looks up where an endpoint is defined at its first request, and remembers it.
    ("fastapi/routing.py", {"_extract_endpoint_context"}),
]


@contextmanager
def watched(note, scanned=None):
    """A call that blocks raises `BlockingError`, and `note` is told of it, even where the server
    survives it. `scanned`: only calls that go through these packages."""

    class Seen(BlockingError):
        def __init__(self, func):
            super().__init__(func)
            note(f"{func}:\n{''.join(traceback.format_stack()[-12:-1])}")

    with (
        patch.object(blockbuster.blockbuster, "BlockingError", Seen),
        blockbuster_ctx(scanned) as detector,
    ):
        for where in MAY_WAIT_FOR_A_LOCK:
            detector.functions["threading.Lock.acquire"].can_block_in(*where)
        more = [BlockBusterFunction(None, name, scanned_modules=scanned) for name in ALSO_BLOCKING]
        for function in [detector.functions["os.stat"], *more]:
            function.can_block_functions += MAY_READ_FILES
        for function in [*detector.functions.values(), *more]:
            function.can_block_functions += MAY_BLOCK
        for function in more:
            function.activate()
        try:
            yield
        finally:
            for function in more:
                function.deactivate()


def variables(folder):
    """Environment in which every Python process watches its event loops, as far as our code runs
    on them, from its start to its end; what it sees is in `folder`, a file for each process, and
    another that says that it watches."""
    (folder / "sitecustomize.py").write_text(
        f"import loop_watch\nloop_watch.watch_always({str(folder)!r})\n", "utf-8"
    )
    paths = [str(folder), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def seen(folder):
    """What the processes of `variables` have seen."""
    return [file.read_text("utf-8") for file in folder.glob("*.seen")]


def watching(folder):
    """Ids of the processes of `variables` that watch, or have watched."""
    return {int(file.stem) for file in folder.glob("*.watching")}


def watch_always(folder):
    """Until the process ends."""
    file = Path(folder, f"{os.getpid()}.seen")

    def note(what):
        with file.open("a", encoding="utf-8") as log:
            log.write(f"{what}\n")

    watch = watched(note, ["myna"])
    watch.__enter__()
    _always.append(watch)
    file.with_suffix(".watching").touch()


_always = []
"""Kept, as what is not held on to ends."""
