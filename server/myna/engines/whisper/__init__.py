"""Whisper on CTranslate2, window by window, through faster-whisper's tokenizer and features."""

from myna.engines.whisper.engine import WhisperTranscriber

__all__ = ["WhisperTranscriber"]
