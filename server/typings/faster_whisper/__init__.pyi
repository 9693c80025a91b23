"""The parts of faster-whisper that Myna calls; the library ships no types."""
