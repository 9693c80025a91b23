"""Choices for machines that are not here: what is there is an argument."""

from __future__ import annotations

import os

import pytest

from myna.engines.devices import (
    choose_compute_type,
    choose_device,
    choose_speech_compute_type,
    choose_threads,
)

CPU = {"int8", "int8_float32", "float32"}
"""What CTranslate2 takes on a usual x86 processor."""
AMPERE = {"int8", "int8_float16", "int8_bfloat16", "float16", "bfloat16", "float32"}


@pytest.mark.parametrize(
    ("asked", "cuda_devices", "chosen"),
    [
        ("auto", 0, "cpu"),
        ("auto", 1, "cuda"),
        ("auto", 4, "cuda"),
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
    ],
)
def test_auto_takes_a_gpu_where_there_is_one(asked, cuda_devices, chosen):
    assert choose_device(asked, cuda_devices) == chosen


def test_a_gpu_that_is_not_there_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"no CUDA device.*myna\[cuda\].*--device cpu"):
        choose_device("cuda", 0)


@pytest.mark.parametrize(
    ("device", "supported", "chosen"),
    [
        ("cpu", CPU, "int8"),
        ("cpu", {"int8_float32", "float32"}, "int8_float32"),
        ("cpu", {"float32"}, "float32"),
        ("cpu", {"int16"}, "default"),
        ("cpu", set(), "default"),
        ("cuda", AMPERE, "float16"),
        ("cuda", {"int8", "int8_float32", "float32"}, "float32"),
        ("cuda", {"int8_float16", "float32"}, "int8_float16"),
        ("cuda", {"bfloat16", "float32"}, "bfloat16"),
    ],
)
def test_auto_takes_the_fastest_good_format_of_the_device(device, supported, chosen):
    assert choose_compute_type("auto", device, supported) == chosen


@pytest.mark.parametrize("asked", sorted(AMPERE))
def test_a_supported_format_is_taken_as_asked(asked):
    assert choose_compute_type(asked, "cuda", AMPERE) == asked


def test_an_unsupported_format_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="float16 is not supported on cpu; it takes float32, int8"):
        choose_compute_type("float16", "cpu", {"int8", "float32"})


def test_a_number_of_threads_is_taken_as_asked():
    assert choose_threads(3) == 3


def test_no_number_takes_the_cores_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 5}, raising=False)
    assert choose_threads(0) == 3


def test_where_affinity_is_unknown_every_core_counts(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert choose_threads(0) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert choose_threads(0) == 1


@pytest.mark.parametrize(
    ("device", "torch", "quick", "chosen"),
    [
        ("cpu", True, True, "quicker"),
        ("cpu", True, False, "float32"),
        ("cpu", False, True, "float32"),
        ("cuda", True, True, "float32"),
    ],
)
def test_bfloat16_is_tried_for_speech_where_it_may_be_quick(device, torch, quick, chosen):
    assert (
        choose_speech_compute_type("auto", device, quick=quick, has_torch=lambda: torch) == chosen
    )


def test_speech_is_reckoned_as_asked_or_it_is_said_why_not():
    assert (
        choose_speech_compute_type("float32", "cpu", quick=True, has_torch=lambda: True)
        == "float32"
    )
    assert (
        choose_speech_compute_type("bfloat16", "cpu", quick=False, has_torch=lambda: True)
        == "bfloat16"
    )
    with pytest.raises(ValueError, match=r"myna\[torch\]"):
        choose_speech_compute_type("bfloat16", "cpu", quick=True, has_torch=lambda: False)
    with pytest.raises(ValueError, match="not for cuda"):
        choose_speech_compute_type("bfloat16", "cuda", quick=True, has_torch=lambda: True)
