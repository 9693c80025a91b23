"""Myna: OpenAI's Audio API on local models."""

__version__ = "0.1.0"
