"""Piper: small VITS voices in ONNX, phonemes by espeak-ng.

A piece of text goes: made readable for espeak -> phonemes, a list per sentence -> runs of bounded
length through the network -> samples. One session serves every worker thread.

piper-tts is GPL-3.0 and takes a moment to import, so it is imported when a voice is loaded.
"""

from myna.engines.piper.engine import PiperSynthesizer

__all__ = ["PiperSynthesizer"]
