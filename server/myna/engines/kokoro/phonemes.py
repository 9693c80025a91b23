"""From what espeak-ng says to what Kokoro was trained on, and in runs that Kokoro can take.

Kokoro writes a sound as one character: its alphabet has single letters for diphthongs and for
affricates, where espeak writes several characters tied together. The correspondences are those of
misaki, the library that Kokoro's training text was made with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

ESPEAK_VOICES = {
    "en-US": "en-us",
    "en-GB": "en-gb",
    "es-ES": "es",
    "fr-FR": "fr-fr",
    "hi-IN": "hi",
    "it-IT": "it",
    "ja-JP": "ja",
    "pt-BR": "pt-br",
    "zh-CN": "cmn",
}
"""The languages that Kokoro has voices of, each with the voice of espeak that reads it."""

TIE = "\u0361"

_PUNCTUATION = str.maketrans(
    {mark: f"{ours} " for mark, ours in zip("、，。．！？：；।", ",,..!?:;.", strict=True)}
    | dict(zip("（）「」『』《》«»", "()“”“”“”“”", strict=True))
)
"""Marks of other scripts, as the ones that Kokoro knows and that espeak ends a clause at."""
_MARK = re.compile(
    r"(?<=\S)(?!(?:(?<=\w\.\w)|(?<=\betc)|(?<=\bvs))\.\s+[^\W\d_A-Z])"
    r'[,;:.!?…]+(?=["”“)\s]|$)|[—"“”()]|\s+[-–]+(?:\s+|$)'
)
"""What Kokoro reads as a pause or a tone of voice. A mark inside a word ("3.5", "10:30") is
espeak's to say, and so is the full stop of an abbreviation inside a sentence ("e.g. this")."""
_SWITCH = re.compile(r"\([a-z\u0361-]+\)")
"""espeak's notes on where another language begins and ends; they are no sounds."""

Replacements = tuple[tuple[str, str], ...]

_AFFRICATES = (("d\u0361ʒ", "ʤ"), ("t\u0361ʃ", "ʧ"), ("d\u0361z", "ʣ"), ("t\u0361s", "ʦ"))
_DIPHTHONGS = (
    ("a\u0361ɪ", "I"),
    ("a\u0361ʊ", "W"),
    ("ɔ\u0361ɪ", "Y"),
    ("e\u0361ɪ", "A"),
)
_ENGLISH: Replacements = (
    ("ʔˌn\u0329", "tᵊn"),
    ("ʔn\u0329", "tᵊn"),
    ("ʔn", "tᵊn"),
    ("ʔ", "t"),
    ("ə\u0361l", "ᵊl"),
    ("l\u0329", "ᵊl"),
    ("n\u0329", "ᵊn"),
    ("m\u0329", "ᵊm"),
    ("d\u0361ʒ", "ʤ"),
    ("t\u0361ʃ", "ʧ"),
    *_DIPHTHONGS,
)
_ENGLISH_LETTERS: Replacements = (
    ("e", "A"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɚɹ", "əɹ"),
    ("ɚ", "əɹ"),
    ("ɬ", "l"),
    ("\u0303", ""),
    ("ʲ", ""),
)
_AMERICAN: Replacements = (
    *_ENGLISH,
    ("o\u0361ʊ", "O"),
    *_ENGLISH_LETTERS,
    ("ɜːɹ", "ɜɹ"),
    ("ɜː", "ɜɹ"),
    ("ɪə", "iə"),
    ("ː", ""),
    ("o", "ɔ"),
)
_BRITISH: Replacements = (
    *_ENGLISH,
    ("e\u0361ə", "ɛː"),
    ("ə\u0361ʊ", "Q"),
    ("i\u0361ə", "ɪə"),
    *_ENGLISH_LETTERS,
    ("iə", "ɪə"),
    ("o", "ɔ"),
)
_OTHERS: Replacements = (
    *_AFFRICATES,
    *_DIPHTHONGS,
    ("o\u0361ʊ", "O"),
    ("ə\u0361ʊ", "Q"),
    ("s\u0361s", "S"),
    ("-", ""),
)
_JAPANESE: Replacements = (
    ("t\u0361ɕ", "ʨ"),
    ("d\u0361ʑ", "ʥ"),
    ("ɯ\u0361ᵝ", "ɯ"),
    *_AFFRICATES,
    ("\u031e", ""),
    ("ä", "a"),
    ("\u0308", ""),
)
_CHINESE: Replacements = (
    ("t\u0361s.\u0361h", "ꭧʰ"),
    ("t\u0361s.", "ꭧ"),
    ("s.", "ʂ"),
    ("ʐ", "ɻ"),
    ("i.", "ɨ"),
    ("i\u032a", "ɨ"),
    ("t\u0361ɕ", "ʨ"),
    ("t\u0361s", "ʦ"),
    ("\u0361h", "ʰ"),
    ("n\u0361ɡ", "ŋ"),
    # Tones. espeak writes the first and the fourth alike.
    *((f"{tone}{coda}", f"{coda}{tone}") for tone in "5ɜ21" for coda in "nŋ"),
    ("5", "→"),
    ("ɜ", "↗"),
    ("2", "↓"),
    ("1", ""),
    ("-", ""),
)
_SPELLINGS: dict[str, Replacements] = {
    "en-US": _AMERICAN,
    "en-GB": _BRITISH,
    "ja-JP": _JAPANESE,
    "zh-CN": _CHINESE,
}


_LATIN_THEN_KANA = re.compile("(?<=[A-Za-z])(?=[\u3041-\u30fa])")
"""Where espeak goes on in English, and spells out the kana that have a mark of voice."""


def phonemes_of(text: str, language: str, espeak: Callable[[str], str]) -> str:
    """A text in Kokoro's alphabet, its marks kept where they stand.

    `espeak` gives the phonemes of a stretch without marks, in IPA with ties. `language` is one of
    ESPEAK_VOICES.
    """
    text = " ".join(text.translate(_PUNCTUATION).split())
    said: list[str] = []
    at = 0
    for mark in _MARK.finditer(text):
        said += [_spoken(text[at : mark.start()], language, espeak), _written(mark[0])]
        at = mark.end()
    said.append(_spoken(text[at:], language, espeak))
    return "".join(said).strip()


def _written(mark: str) -> str:
    """A mark as Kokoro knows it: of several at one place the last decides."""
    if not mark.strip(" -–"):
        return " — "
    return mark[-1]


def _spoken(text: str, language: str, espeak: Callable[[str], str]) -> str:
    """Phonemes of a stretch, with the white space that it had around it."""
    if language == "ja-JP":
        text = _LATIN_THEN_KANA.sub(" ", text)
    if not any(char.isalnum() for char in text):
        return " " if text.strip() != text or (not text.strip() and text) else ""
    found = " ".join(_SWITCH.sub("", espeak(text)).replace("_", "").split())
    for old, new in _SPELLINGS.get(language, _OTHERS):
        found = found.replace(old, new)
    found = found.replace(TIE, "")
    before = " " if text[0].isspace() else ""
    after = " " if text[-1].isspace() else ""
    return f"{before}{found}{after}"


def runs(phonemes: str, most: int) -> Iterator[str]:
    """Phonemes in runs of at most `most`, all of them together every phoneme there is.

    The runs are of about one length, since Kokoro hurries through a short one. They are cut after a
    sentence, else after a clause, else after a word, else anywhere. Runs in which nothing is said
    are left out.
    """
    start = 0
    while start < len(phonemes):
        left = len(phonemes) - start
        fair = math.ceil(left / math.ceil(left / most))
        end = start + left if left <= most else _run_end(phonemes, start, fair, most)
        run = phonemes[start:end].strip()
        if any(char.isalpha() for char in run):
            yield run
        start = end


def _run_end(phonemes: str, start: int, fair: int, most: int) -> int:
    """Where to end a run that begins at `start`: as near to the `fair` length as there is a place
    of the best kind, between half of it and `most`."""
    for marks in (".!?…", ",;:—", " "):
        places = [
            end
            for end in range(start + fair // 2 + 1, start + most + 1)
            if phonemes[end - 1] in marks
        ]
        if places:
            return min(places, key=lambda end: abs(end - start - fair))
    return start + fair
