"""Sums of money."""

from __future__ import annotations

import re
from dataclasses import dataclass

from myna.text.spoken.english.rules import ARTICLE, FIGURE, MINUS, NUMBER, is_one


@dataclass(frozen=True, slots=True)
class _Currency:
    one: str
    many: str
    part: str = ""
    parts: str = ""
    """A hundredth, where sums are said with it."""


_DOLLAR = _Currency("dollar", "dollars", "cent", "cents")
_SIGNS = {
    "$": _DOLLAR,
    "US$": _Currency("US dollar", "US dollars", "cent", "cents"),
    "A$": _Currency("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": _Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "£": _Currency("pound", "pounds", "penny", "pence"),
    "€": _Currency("euro", "euros", "cent", "cents"),
    "¥": _Currency("yen", "yen"),
    "₹": _Currency("rupee", "rupees"),
    "₩": _Currency("won", "won"),
    "₽": _Currency("ruble", "rubles"),
    "₿": _Currency("bitcoin", "bitcoins"),
}
_CURRENCIES = _SIGNS | {
    "USD": _SIGNS["US$"],
    "AUD": _SIGNS["A$"],
    "CAD": _SIGNS["C$"],
    "GBP": _SIGNS["£"],
    "EUR": _SIGNS["€"],
    "JPY": _SIGNS["¥"],
    "INR": _SIGNS["₹"],
    "CHF": _Currency("Swiss franc", "Swiss francs"),
    "CNY": _Currency("yuan", "yuan"),
}
_SCALES = {
    "k": "thousand", "m": "million", "mm": "million", "mn": "million", "mil": "million",
    "b": "billion",
    "bn": "billion", "t": "trillion", "tn": "trillion",
}  # fmt: skip

_SIGN = r"(?P<sign>US\$|A\$|C\$|[$£€¥₹₩₽₿]|(?:USD|AUD|CAD|GBP|EUR|JPY|INR|CHF|CNY)\s?)"
_AMOUNT = rf"(?P<amount>{FIGURE})"
_SCALE = r"(?P<scale>\s?(?:thousand|million|billion|trillion)\b|(?:[kKmMbBtT]|[mbt]n|mm|mil)\b)?"
_TO = rf"(?:\s?(?P<to>[–-]|to)\s?[$£€¥₹]?(?P<most>{FIGURE}))?"
_BEFORE = re.compile(rf"{ARTICLE}{MINUS}(?<!\w){_SIGN}{_AMOUNT}{_TO}{_SCALE}(?![\d]|[.,]\d)")
_BEHIND = re.compile(
    rf"{ARTICLE}(?P<amount>{NUMBER}){_SCALE}\s?(?P<sign>[€£₹₽]|USD|AUD|CAD|GBP|EUR|JPY|INR|CHF|CNY)(?!\w)"
)
_CENTS = re.compile(rf"{ARTICLE}(?P<amount>{NUMBER})\s?¢")


def money_said(text: str) -> str:
    """The text with sums as they are said: "$5.99" as "5 dollars and 99 cents"."""
    text = _BEFORE.sub(_said, text)
    text = _BEHIND.sub(_said, text)
    return _CENTS.sub(_cents, text)


def _said(found: re.Match[str]) -> str:
    groups = found.groupdict()
    article, minus = found["article"] or "", "minus " if groups.get("minus") else ""
    currency = _CURRENCIES[found["sign"].strip()]
    amount, most, scale = found["amount"], groups.get("most"), (found["scale"] or "").strip()
    if not (scale or most or article) and currency.part and re.fullmatch(r"[\d,]+\.\d\d", amount):
        return minus + _with_parts(amount, currency)
    if most:
        amount = f"{amount} to {most}"
    if scale:
        amount = f"{amount} {_SCALES.get(scale.lower(), scale)}"
    name = currency.one if is_one(amount) or article else currency.many
    behind = found.string[found.end() : found.end() + 1]
    return f"{article}{minus}{amount} {name}" + (" " if behind.isalpha() else "")


def _with_parts(amount: str, currency: _Currency) -> str:
    full, _, parts = amount.partition(".")
    said = [f"{full} {currency.one if is_one(full) else currency.many}"] if full.strip("0,") else []
    if parts != "00":
        less = parts.lstrip("0")
        said.append(f"{less} {currency.part if is_one(less) else currency.parts}")
    return " and ".join(said) or f"0 {currency.many}"


def _cents(found: re.Match[str]) -> str:
    one = is_one(found["amount"]) or found["article"]
    return f"{found['article'] or ''}{found['amount']} {'cent' if one else 'cents'}"
