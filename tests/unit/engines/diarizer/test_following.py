"""Turns of made-up conversations: at the end, and live."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from myna.engines.contract.diarizer import KnownVoice, SpeakerFollowing, SpeakerOptions
from myna.engines.diarizer.chunks import chunks
from myna.engines.diarizer.following import Live, Whole
from myna.engines.diarizer.frames import FRAME_S, STEP_FRAMES, WINDOW_FRAMES, seconds
from myna.engines.diarizer.hearing import HeardChunk, HeardWindow
from myna.engines.diarizer.turns import joined
from myna.text.transcript import Turn

STEP_S = STEP_FRAMES * FRAME_S
EDGE_S = 0.05


def voice(who: int, noise: int) -> np.ndarray:
    own, strange = (np.random.default_rng(seed).normal(0, 1, 192) for seed in (who, 1000 + noise))
    found = own / np.linalg.norm(own) + 0.7 * strange / np.linalg.norm(strange)
    return (found / np.linalg.norm(found)).astype(np.float32)


def heard(
    talk: list[tuple[float, float, int]], length_s: float, *, narrow: bool = False
) -> list[HeardWindow]:
    """The windows of a recording in which `talk` says who speaks from when to when; the local
    speakers of every window are numbered anew."""
    seeds = itertools.count()
    windows: list[HeardWindow] = []
    while not windows or seconds((len(windows) - 1) * STEP_FRAMES + WINDOW_FRAMES) < length_s:
        number = len(windows)
        first = number * STEP_FRAMES
        activity = np.zeros((WINDOW_FRAMES, 3), bool)
        local: dict[int, int] = {}
        for start_s, end_s, who in talk:
            start, end = (round(at / FRAME_S) - first for at in (start_s, end_s))
            if end > 0 and start < WINDOW_FRAMES:
                column = local.setdefault(who, (len(local) + number) % 3)
                activity[max(start, 0) : end, column] = True
        owners = {column: who for who, column in local.items()}
        found = [
            HeardChunk(one, voice(owners[_column(activity, one.active)], next(seeds)))
            for one in chunks(activity)
        ]
        windows.append(HeardWindow(activity, tuple(found), narrow))
    return windows


def _column(activity: np.ndarray, active: np.ndarray) -> int:
    return int(activity[active].sum(axis=0).argmax())


def followed(following: SpeakerFollowing, windows: list[HeardWindow]) -> list[Turn]:
    turns: list[Turn] = []
    for window in windows:
        following.add(window)
        turns += following.take()
    following.finish()
    return joined([*turns, *following.take()])


def said(turns: list[Turn]) -> list[tuple[float, float, int]]:
    return [(round(turn.start_s, 1), round(turn.end_s, 1), turn.speaker) for turn in turns]


TALK = [(1.0, 8.0, 5), (8.4, 14.0, 6), (15.0, 21.0, 5), (20.0, 27.0, 6), (28.0, 33.0, 7)]


@pytest.mark.parametrize("live", [False, True])
def test_turns_are_who_spoke_when_overlaps_included(live):
    options = SpeakerOptions(live=live)
    turns = followed(Live(options) if live else Whole(options), heard(TALK, 34.0))
    names = {turn.speaker for turn in turns}
    assert len(names) == 3
    assert len(turns) == len(TALK)
    owners = {}
    for turn, (start_s, end_s, who) in zip(turns, TALK, strict=True):
        assert turn.start_s == pytest.approx(start_s, abs=EDGE_S)
        assert turn.end_s == pytest.approx(end_s, abs=EDGE_S)
        assert owners.setdefault(who, turn.speaker) == turn.speaker


def test_live_turns_of_a_recording_under_a_minute_are_those_of_the_whole():
    windows = heard(TALK, 34.0)
    assert said(followed(Live(SpeakerOptions(live=True)), windows)) == said(
        followed(Whole(SpeakerOptions()), windows)
    )


def test_live_turns_settle_step_by_step_behind_the_first_minute():
    talk = [(at, at + 4.5, 5 + int(at / 5) % 2) for at in np.arange(0.5, 118, 5.0)]
    windows = heard(talk, 120.0)
    live = Live(SpeakerOptions(live=True))
    settled = []
    for window in windows:
        live.add(window)
        settled.append(live.settled_s)
    assert settled[:11] == [0.0] * 11
    assert settled[11] == pytest.approx(12 * STEP_S, abs=0.1)
    assert np.diff(settled[11:]) == pytest.approx(STEP_S, abs=1e-6)


def test_what_was_told_live_is_not_told_again_and_speakers_keep_their_numbers():
    talk = [(at, at + 4.5, 5 + int(at / 5) % 2) for at in np.arange(0.5, 118, 5.0)]
    turns = followed(Live(SpeakerOptions(live=True)), heard(talk, 120.0))
    assert len(turns) == len(talk)
    assert {turn.speaker for turn in turns[::2]} | {turn.speaker for turn in turns[1::2]} == {0, 1}
    assert len({turn.speaker for turn in turns[::2]}) == 1


def test_somebody_new_behind_the_first_minute_becomes_a_speaker():
    talk = [(1.0, 60.0, 5), (70.0, 80.0, 6), (81.0, 90.0, 5)]
    turns = followed(Live(SpeakerOptions(live=True)), heard(talk, 91.0))
    assert [turn.speaker for turn in turns] == [0, 1, 0]


@pytest.mark.parametrize("live", [False, True])
def test_known_speakers_have_the_first_numbers_and_only_if_they_speak(live):
    known = tuple(KnownVoice(voice(who, 900 + who)) for who in (9, 6))
    options = SpeakerOptions(known=known, live=live)
    turns = followed(Live(options) if live else Whole(options), heard(TALK, 34.0))
    numbers = [turn.speaker for turn in turns]
    assert numbers[1] == numbers[3] == 1
    assert min(numbers[0], numbers[4]) >= 2


@pytest.mark.parametrize(("narrow", "last"), [(False, 0), (True, 2)])
def test_a_known_speaker_has_to_be_more_alike_where_all_came_by_telephone(narrow, last):
    """Who is 0.45 like the reference, and comes behind the first minute."""
    own, other = (np.random.default_rng(seed).normal(0, 1, 192) for seed in (6, 77))
    print_ = 0.55 * own / np.linalg.norm(own) + 0.84 * other / np.linalg.norm(other)
    print_ = (print_ / np.linalg.norm(print_)).astype(np.float32)
    options = SpeakerOptions(known=(KnownVoice(print_, narrow),), live=True)
    talk = [(1.0, 60.0, 5), (70.0, 80.0, 6)]
    turns = followed(Live(options), heard(talk, 81.0, narrow=narrow))
    assert [turn.speaker for turn in turns] == [1, last]


@pytest.mark.parametrize("live", [False, True])
def test_no_more_speakers_than_there_may_be(live):
    options = SpeakerOptions(most=2, live=live)
    talk = [(at, at + 9.5, 5 + int(at / 10) % 4) for at in np.arange(0.5, 118, 10.0)]
    turns = followed(Live(options) if live else Whole(options), heard(talk, 120.0))
    assert len({turn.speaker for turn in turns}) == 2


@pytest.mark.parametrize("make", [Live, Whole])
def test_silence_has_no_turns(make):
    assert followed(make(SpeakerOptions()), heard([], 30.0)) == []
    assert followed(make(SpeakerOptions()), []) == []


@pytest.mark.parametrize("make", [Live, Whole])
def test_chunks_whose_voice_cannot_be_heard_are_nobodys(make):
    deaf = [
        HeardWindow(window.activity, tuple(HeardChunk(one.chunk, None) for one in window.chunks))
        for window in heard(TALK, 34.0)
    ]
    assert followed(make(SpeakerOptions()), deaf) == []


def test_short_pauses_of_one_speaker_are_part_of_the_turn():
    pieces = [Turn(0, 1, 0), Turn(1.4, 2, 0), Turn(1.2, 1.3, 1), Turn(2.6, 3, 0)]
    assert joined(pieces) == [Turn(0, 2, 0), Turn(1.2, 1.3, 1), Turn(2.6, 3, 0)]
