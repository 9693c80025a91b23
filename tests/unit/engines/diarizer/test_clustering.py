"""Made-up voices grouped into speakers."""

from __future__ import annotations

import numpy as np
import pytest

from myna.engines.contract.diarizer import KnownVoice, SpeakerOptions
from myna.engines.diarizer.clustering import cluster, nearest, recognised

ANYBODY = SpeakerOptions()


def voice(number: int) -> np.ndarray:
    """A direction; those of two numbers are nearly at right angles."""
    found = np.random.default_rng(number).normal(0, 1, 192)
    return (found / np.linalg.norm(found)).astype(np.float32)


def chunk(number: int, seed: int, noise: float = 0.7) -> np.ndarray:
    """The voice as a chunk has it: two of one voice are 0.67 alike."""
    found = voice(number) + noise * voice(1000 + seed)
    return (found / np.linalg.norm(found)).astype(np.float32)


def talk(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Chunks of 2 s: so many of each voice."""
    prints = [
        chunk(number, 100 * number + at) for number, n in enumerate(counts) for at in range(n)
    ]
    return np.stack(prints), np.full(len(prints), 2.0)


def test_each_voice_is_a_speaker():
    prints, clean_s = talk(10, 6, 8)
    centroids = cluster(prints, clean_s, ANYBODY)
    labels = nearest(prints, centroids)
    assert len(centroids) == 3
    assert [len(set(part)) for part in np.split(labels, [10, 16])] == [1, 1, 1]


def test_no_chunks_are_no_speakers():
    assert cluster(np.zeros((0, 192), np.float32), np.zeros(0), ANYBODY).shape == (0, 192)


def test_one_chunk_is_one_speaker():
    assert len(cluster(chunk(1, 1)[np.newaxis], np.array([0.3]), ANYBODY)) == 1


def test_chunks_without_much_clean_speech_form_no_speaker():
    prints, clean_s = talk(10, 10)
    clean_s[10:] = 0.4
    assert len(cluster(prints, clean_s, ANYBODY)) == 1


def test_a_recording_of_short_words_has_speakers_all_the_same():
    prints, _ = talk(3, 3)
    assert len(cluster(prints, np.full(6, 0.9), ANYBODY)) == 2


def test_somebody_who_hardly_says_anything_is_a_stray():
    prints, clean_s = talk(10, 1)
    assert len(cluster(prints, clean_s - 0.4, ANYBODY)) == 1


def test_groups_of_one_voice_are_one_speaker(monkeypatch):
    """Two takes of a voice whose chunks are too noisy to be linked, but whose means are alike."""
    prints = []
    for at in range(40):
        take = voice(1) + 0.5 * voice(2 + at // 20)
        noisy = take / np.linalg.norm(take) + 1.05 * voice(500 + at)
        prints.append(noisy / np.linalg.norm(noisy))
    stacked, clean_s = np.stack(prints).astype(np.float32), np.full(40, 2.0)
    assert len(cluster(stacked, clean_s, ANYBODY)) == 1
    monkeypatch.setattr("myna.engines.diarizer.clustering.ONE_VOICE", 1.1)
    assert len(cluster(stacked, clean_s, ANYBODY)) == 2


@pytest.mark.parametrize("most", [1, 2])
def test_there_are_at_most_as_many_as_asked_for(most):
    assert len(cluster(*talk(9, 8, 7, 6), SpeakerOptions(most=most))) == most


def test_there_are_at_least_as_many_as_asked_for():
    assert len(cluster(*talk(12), SpeakerOptions(least=3))) == 3


def test_a_count_beyond_the_chunks_is_no_fault():
    assert len(cluster(*talk(2), SpeakerOptions(least=5))) == 2


def test_known_speakers_are_recognised_one_to_one():
    centroids = np.stack([voice(3), voice(1), voice(2)])
    assert recognised(
        centroids, [KnownVoice(chunk(1, 5)), KnownVoice(chunk(9, 6))], narrow=False
    ) == {1: 0}


def test_one_reference_is_the_best_of_two_that_are_like_it():
    centroids = np.stack([chunk(1, 7, 1.0), chunk(1, 8, 0.2)])
    assert recognised(centroids, [KnownVoice(voice(1))], narrow=False) == {1: 0}


def test_strangers_stay_strangers():
    assert recognised(voice(1)[np.newaxis], [KnownVoice(voice(2))], narrow=False) == {}
    assert recognised(voice(1)[np.newaxis], (), narrow=False) == {}


@pytest.mark.parametrize(
    ("narrow", "known_narrow", "found"),
    [(False, False, {0: 0}), (True, False, {0: 0}), (False, True, {0: 0}), (True, True, {})],
)
def test_two_telephones_make_strangers_alike(narrow, known_narrow, found):
    """So more likeness is asked for where both recordings came by one."""
    one, other = np.eye(2, 192, dtype=np.float32)
    alike = np.float32(0.45) * one + np.sqrt(np.float32(1 - 0.45**2)) * other
    known = [KnownVoice(one, narrow=known_narrow)]
    assert recognised(alike[np.newaxis], known, narrow=narrow) == found
