"""Which chunks are the same speaker's. Pure: voiceprints in, numbers of speakers out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.diarizer import KnownVoice, SpeakerOptions

Prints = NDArray[np.float32]
"""Voiceprints, shape (n, 192), each of length 1."""

APART = 0.60
"""Cosine distance from which two groups of chunks are two speakers. From 0.55 to 0.65 the error
hardly moves; above, people on the telephone become one."""
ONE_VOICE = 0.60
"""Cosine similarity of two groups' means from which they are one speaker after all: linkage looks
at single chunks, whose noise hides what the means show. Two people on the telephone reach 0.57 in
one of a thousand pairs of 5 s, one person 0.71 in nineteen of twenty."""
FORMING_S = 1.5
"""Chunks with less clean speech do not form speakers; they join them."""
_BRIEF_S = 0.5
"""The same for a recording that has no longer ones."""
LEAST_S = 2.0
"""A speaker with less speech than this in all is a stray, and its chunks are somebody else's."""
SAME = 0.40
"""Cosine similarity from which a speaker is a known one, or a chunk a speaker's. Two people reach
0.32 in one of a hundred pairs, one person 0.58 in nineteen of twenty (10 s against 2 s)."""
SAME_BY_TELEPHONE = 0.50
"""The same for a known speaker where both recordings came by telephone: two people reach 0.48 in
one of a hundred pairs, one person 0.71 in nineteen of twenty (5 s against 5 s)."""


def cluster(prints: Prints, clean_s: NDArray[np.float64], options: SpeakerOptions) -> Prints:
    """The speakers' voices, shape (n_speakers, 192), from all chunks of a recording.

    `clean_s` has each chunk's seconds without overlap. No chunks, no speakers.
    """
    for least_s in (FORMING_S, _BRIEF_S, 0.0):
        forming = clean_s >= least_s
        if forming.any():
            break
    else:
        return np.zeros((0, prints.shape[1]), np.float32)
    labels = _merged(prints[forming], _linked(prints[forming], options), options.least)
    centroids = _centroids(prints[forming], labels)
    if options.least < len(centroids):
        centroids = _without_strays(centroids, prints, clean_s, options.least)
    return centroids


def nearest(prints: Prints, centroids: Prints) -> NDArray[np.intp]:
    """The speaker that each chunk is most like."""
    return (prints @ centroids.T).argmax(axis=1)


def needed(known: KnownVoice, *, narrow: bool) -> float:
    """How alike somebody has to be to be `known`; `narrow` where a telephone was heard."""
    return SAME_BY_TELEPHONE if narrow and known.narrow else SAME


def recognised(centroids: Prints, known: Sequence[KnownVoice], *, narrow: bool) -> dict[int, int]:
    """Which speakers are known ones, `{speaker: known}`: one to one, the best matches in all."""
    if not known or not len(centroids):
        return {}
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - of the extra `diarize`

    alike = centroids @ np.stack([one.print for one in known]).T
    enough = alike >= np.array([needed(one, narrow=narrow) for one in known])
    pairs = linear_sum_assignment(np.where(enough, alike, 0.0), maximize=True)
    return {
        int(speaker): int(one) for speaker, one in zip(*pairs, strict=True) if enough[speaker, one]
    }


def _linked(prints: Prints, options: SpeakerOptions) -> NDArray[np.intp]:
    """Average linkage; the tree is cut by distance unless that gives too few or too many."""
    if len(prints) == 1:
        return np.zeros(1, np.intp)
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415 - of the extra

    tree = linkage(prints, method="average", metric="cosine")
    labels = fcluster(tree, APART, criterion="distance")
    wanted = max(options.least, min(int(labels.max()), options.most or len(prints)))
    if wanted != labels.max():
        labels = fcluster(tree, wanted, criterion="maxclust")
    return np.asarray(labels, np.intp) - 1


def _merged(prints: Prints, labels: NDArray[np.intp], least: int) -> NDArray[np.intp]:
    """The labels, with groups of one voice made one: the most alike first."""
    while labels.max() + 1 > max(least, 1):
        centroids = _centroids(prints, labels)
        alike = np.triu(centroids @ centroids.T, 1)
        one, other = np.unravel_index(alike.argmax(), alike.shape)
        if alike[one, other] < ONE_VOICE:
            break
        labels = np.where(labels == other, one, labels)
        labels = labels - (labels > other)
    return labels


def _centroids(prints: Prints, labels: NDArray[np.intp]) -> Prints:
    sums = np.stack([prints[labels == label].sum(axis=0) for label in range(labels.max() + 1)])
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)


def _without_strays(
    centroids: Prints, prints: Prints, clean_s: NDArray[np.float64], least: int
) -> Prints:
    """Without speakers that hardly say anything, the least talkative first."""
    labels = nearest(prints, centroids)
    spoken_s = np.bincount(labels, weights=clean_s, minlength=len(centroids))
    by_speech = np.argsort(-spoken_s, kind="stable")
    kept = [
        speaker
        for rank, speaker in enumerate(by_speech.tolist())
        if rank < least or spoken_s[speaker] >= LEAST_S
    ]
    return centroids[sorted(kept)]
