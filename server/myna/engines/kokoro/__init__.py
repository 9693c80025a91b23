"""Kokoro: one network in ONNX, and voices that are tables of style vectors."""

from myna.engines.kokoro.engine import KokoroSynthesizer

__all__ = ["KokoroSynthesizer"]
