"""Languages: Whisper's hundred, and the many ways in which clients spell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from myna.errors import BadRequest

WHISPER_LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "en": "english", "zh": "chinese", "de": "german", "es": "spanish", "ru": "russian",
        "ko": "korean", "fr": "french", "ja": "japanese", "pt": "portuguese", "tr": "turkish",
        "pl": "polish", "ca": "catalan", "nl": "dutch", "ar": "arabic", "sv": "swedish",
        "it": "italian", "id": "indonesian", "hi": "hindi", "fi": "finnish", "vi": "vietnamese",
        "he": "hebrew", "uk": "ukrainian", "el": "greek", "ms": "malay", "cs": "czech",
        "ro": "romanian", "da": "danish", "hu": "hungarian", "ta": "tamil", "no": "norwegian",
        "th": "thai", "ur": "urdu", "hr": "croatian", "bg": "bulgarian", "lt": "lithuanian",
        "la": "latin", "mi": "maori", "ml": "malayalam", "cy": "welsh", "sk": "slovak",
        "te": "telugu", "fa": "persian", "lv": "latvian", "bn": "bengali", "sr": "serbian",
        "az": "azerbaijani", "sl": "slovenian", "kn": "kannada", "et": "estonian",
        "mk": "macedonian", "br": "breton", "eu": "basque", "is": "icelandic", "hy": "armenian",
        "ne": "nepali", "mn": "mongolian", "bs": "bosnian", "kk": "kazakh", "sq": "albanian",
        "sw": "swahili", "gl": "galician", "mr": "marathi", "pa": "punjabi", "si": "sinhala",
        "km": "khmer", "sn": "shona", "yo": "yoruba", "so": "somali", "af": "afrikaans",
        "oc": "occitan", "ka": "georgian", "be": "belarusian", "tg": "tajik", "sd": "sindhi",
        "gu": "gujarati", "am": "amharic", "yi": "yiddish", "lo": "lao", "uz": "uzbek",
        "fo": "faroese", "ht": "haitian creole", "ps": "pashto", "tk": "turkmen",
        "nn": "nynorsk", "mt": "maltese", "sa": "sanskrit", "lb": "luxembourgish",
        "my": "myanmar", "bo": "tibetan", "tl": "tagalog", "mg": "malagasy", "as": "assamese",
        "tt": "tatar", "haw": "hawaiian", "ln": "lingala", "ha": "hausa", "ba": "bashkir",
        "jw": "javanese", "su": "sundanese", "yue": "cantonese",
    }
)  # fmt: skip
"""Whisper's code -> English name in lower case, the order of its language tokens."""

_HOSTED_CODES = (
    "af ar hy az be bs bg ca zh hr cs da nl en et fi fr gl de el he hi hu is id it ja kn kk ko lv "
    "lt mk ms mr mi ne no fa pl pt ro ru sr sk sl es sw sv tl ta th tr uk ur vi cy "
    "bn gu ka ml te yue"
)

GPT_TRANSCRIBE_LANGUAGES = frozenset(_HOSTED_CODES.split())
"""The codes that the hosted `gpt-transcribe` takes in `languages`; binding in strict mode."""

_DETECT = frozenset({"", "auto", "none", "null", "und"})
"""Values that leave the choice to the model."""

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        # Names that Whisper's own command line knows, and Filipino as people call it.
        "burmese": "my", "valencian": "ca", "flemish": "nl", "haitian": "ht",
        "letzeburgesch": "lb", "pushto": "ps", "panjabi": "pa", "moldavian": "ro",
        "moldovan": "ro", "sinhalese": "si", "castilian": "es", "mandarin": "zh",
        "filipino": "tl", "farsi": "fa", "norwegian bokmål": "no", "bokmål": "no",
        # Codes that were renamed, and members of a language that has one code here.
        "fil": "tl", "nb": "no", "iw": "he", "jv": "jw", "in": "id", "ji": "yi", "mo": "ro",
        "zh-yue": "yue",
        # ISO 639-2 and 639-3.
        "eng": "en", "zho": "zh", "chi": "zh", "cmn": "zh", "deu": "de", "ger": "de",
        "spa": "es", "rus": "ru", "kor": "ko", "fra": "fr", "fre": "fr", "jpn": "ja",
        "por": "pt", "tur": "tr", "pol": "pl", "cat": "ca", "nld": "nl", "dut": "nl",
        "ara": "ar", "arb": "ar", "swe": "sv", "ita": "it", "ind": "id", "hin": "hi",
        "fin": "fi", "vie": "vi", "heb": "he", "ukr": "uk", "ell": "el", "gre": "el",
        "msa": "ms", "may": "ms", "zsm": "ms", "ces": "cs", "cze": "cs", "ron": "ro",
        "rum": "ro", "dan": "da", "hun": "hu", "tam": "ta", "nor": "no", "nob": "no",
        "tha": "th", "urd": "ur", "hrv": "hr", "bul": "bg", "lit": "lt", "lat": "la",
        "mri": "mi", "mao": "mi", "mal": "ml", "cym": "cy", "wel": "cy", "slk": "sk",
        "slo": "sk", "tel": "te", "fas": "fa", "per": "fa", "pes": "fa", "lav": "lv",
        "lvs": "lv", "ben": "bn", "srp": "sr", "aze": "az", "azj": "az", "slv": "sl",
        "kan": "kn", "est": "et", "ekk": "et", "mkd": "mk", "mac": "mk", "bre": "br",
        "eus": "eu", "baq": "eu", "isl": "is", "ice": "is", "hye": "hy", "arm": "hy",
        "nep": "ne", "npi": "ne", "mon": "mn", "khk": "mn", "bos": "bs", "kaz": "kk",
        "sqi": "sq", "alb": "sq", "swa": "sw", "swh": "sw", "glg": "gl", "mar": "mr",
        "pan": "pa", "sin": "si", "khm": "km", "sna": "sn", "yor": "yo", "som": "so",
        "afr": "af", "oci": "oc", "kat": "ka", "geo": "ka", "bel": "be", "tgk": "tg",
        "snd": "sd", "guj": "gu", "amh": "am", "yid": "yi", "lao": "lo", "uzb": "uz",
        "uzn": "uz", "fao": "fo", "hat": "ht", "pus": "ps", "pbt": "ps", "tuk": "tk",
        "nno": "nn", "mlt": "mt", "san": "sa", "ltz": "lb", "mya": "my", "bur": "my",
        "bod": "bo", "tib": "bo", "tgl": "tl", "mlg": "mg", "plt": "mg", "asm": "as",
        "tat": "tt", "lin": "ln", "hau": "ha", "bak": "ba", "jav": "jw", "sun": "su",
    }
)  # fmt: skip

_BY_NAME: Mapping[str, str] = MappingProxyType(
    {name: code for code, name in WHISPER_LANGUAGES.items()}
)

_TAG = re.compile(r"([a-z]{2,3})(?:-[a-z0-9]{1,8})+")
"""BCP 47: a language followed by script, region or variants."""


def language_code(text: str, *, param: str = "language") -> str | None:
    """Whisper's code for what a client wrote, or None where the model shall find out.

    Takes codes of two and three letters, locales (`en-US`, `zh_Hans_CN`, `de_DE.UTF-8`), English
    names and their aliases, in any case. Raises `BadRequest` with `param` for anything else.
    """
    spelled = " ".join(text.casefold().split())
    if spelled in _DETECT:
        return None
    tag = re.split(r"[.@]", spelled, maxsplit=1)[0].replace("_", "-")
    match = _TAG.fullmatch(tag)
    for candidate in (spelled, tag, match[1] if match else ""):
        code = _lookup(candidate)
        if code:
            return code
    raise BadRequest(
        f"Language {text[:40]!r} is not known here. Send an ISO 639-1 code such as 'en' or 'de', "
        "or leave the field out to have the language detected.",
        param=param,
        code="invalid_value",
    )


def language_name(code: str) -> str:
    """English name in lower case, as `verbose_json` has it; an unknown code stands for itself."""
    return WHISPER_LANGUAGES.get(code, code)


def base_language(tag: str) -> str:
    """The language of a voice's BCP 47 tag: Whisper's code, else the tag's first part."""
    first = tag.replace("_", "-").partition("-")[0].lower()
    return _lookup(first) or first


def _lookup(candidate: str) -> str | None:
    if candidate in WHISPER_LANGUAGES:
        return candidate
    return _BY_NAME.get(candidate) or _ALIASES.get(candidate)
