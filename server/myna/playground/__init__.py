"""The playground at `/`: a page to record, listen and compare with, and what serves it."""

from myna.playground.pages import Playground, is_page

__all__ = ["Playground", "is_page"]
