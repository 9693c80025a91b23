"""The Hugging Face hub, made to fail within seconds where it cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from myna.store.sources import HubFile, SourceError

T = TypeVar("T")

_TIMEOUT_S = 5.0
"""For the request that finds out whether a file is to be had."""


class _SilentBar(tqdm):  # pyright: ignore[reportMissingTypeArgument] - generic in its stubs only
    """Replaces huggingface_hub's bar, since the store shows its own."""

    def __init__(self, **options: object) -> None:
        del options
        super().__init__(disable=True)  # pyright: ignore[reportUnknownMemberType] - as above


class HubOutOfReachError(SourceError):
    """Nobody answers where the hub should be."""


class Hub:
    """The hub and the user's cache of it, as huggingface_hub finds them in the environment.

    HF_ENDPOINT, HF_HOME, HF_HUB_CACHE and HF_TOKEN are honoured; what is given here comes first.
    """

    def __init__(self, *, endpoint: str | None = None, cache: Path | None = None) -> None:
        self._endpoint = endpoint
        self._cache = cache

    def cached(self, file: HubFile) -> Path | None:
        """The file in the user's cache at the pinned revision, if it is there. No network."""
        found = _library().try_to_load_from_cache(
            file.repo, file.path, cache_dir=self._cache, revision=file.revision
        )
        return Path(found) if isinstance(found, str) else None

    def download(self, file: HubFile, folder: Path) -> Path:
        """Fetch the file into `folder` and return its path.

        Raises SourceError, and HubOutOfReachError where asking for another file would be no use.
        """
        hf = _library()
        url = hf.hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=self._endpoint)
        # hf_hub_download retries for 23 s where nobody answers; this request is made only once.
        _reach(lambda: hf.get_hf_file_metadata(url, timeout=_TIMEOUT_S))
        path = _download(
            lambda: hf.hf_hub_download(
                file.repo,
                file.path,
                revision=file.revision,
                endpoint=self._endpoint,
                local_dir=folder,
                etag_timeout=_TIMEOUT_S,
                tqdm_class=_SilentBar,
            )
        )
        return Path(path)

    def file_names(self, repo: str, revision: str) -> tuple[str, ...]:
        """Every file of a repository. Raises SourceError."""
        api = _library().HfApi(endpoint=self._endpoint)
        info = _reach(lambda: api.model_info(repo, revision=revision, timeout=_TIMEOUT_S))
        return tuple(sibling.rfilename for sibling in info.siblings or ())

    def cached_snapshot(self, repo: str, revision: str, patterns: Sequence[str]) -> Path | None:
        """The folder of a repository in the user's cache, unless it is known that files that match
        are still missing there. No network."""
        from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - slow

        try:
            folder = _library().snapshot_download(
                repo,
                revision=revision,
                cache_dir=self._cache,
                local_files_only=True,
                allow_patterns=list(patterns),
            )
        except (LocalEntryNotFoundError, ValueError):
            return None
        return Path(folder)

    def snapshot(self, repo: str, revision: str, patterns: Sequence[str]) -> Path:
        """Fetch the files of a repository that match into the user's cache, and return the
        repository's folder there. Raises SourceError."""
        folder = _download(
            lambda: _library().snapshot_download(
                repo,
                revision=revision,
                cache_dir=self._cache,
                endpoint=self._endpoint,
                allow_patterns=list(patterns),
                etag_timeout=_TIMEOUT_S,
            )
        )
        return Path(folder)


def _library() -> Any:
    """huggingface_hub: only when it is needed, as importing it takes half a second; and untyped, as
    its functions are typed in part."""
    import huggingface_hub  # noqa: PLC0415

    return huggingface_hub


def _reach(request: Callable[[], T]) -> T:
    """One small request, which finds out whether the hub is there and has what is wanted."""
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 - slow to import

    try:
        return request()
    except (HfHubHTTPError, ValueError) as error:
        raise SourceError(f"the hub does not give it: {_first_line(error)}") from error
    except Exception as error:
        # What else there is depends on the HTTP library, and that on huggingface_hub's version.
        raise HubOutOfReachError(f"the hub cannot be reached: {_first_line(error)}") from error


def _download(request: Callable[[], T]) -> T:
    """The download itself, once the hub has said that it has the file."""
    try:
        return request()
    except Exception as error:
        raise SourceError(f"the download from the hub failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
