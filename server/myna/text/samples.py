"""A sentence to try a voice with, in the languages that Kokoro's and Piper's voices speak."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from myna.text.languages import base_language

SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "ar": "العصافير تغني في الحديقة.",
        "bg": "Птиците пеят в градината.",
        "bn": "পাখিরা বাগানে গান গায়।",
        "ca": "Els ocells canten al jardí.",
        "cs": "Ptáci zpívají na zahradě.",
        "cy": "Mae'r adar yn canu yn yr ardd.",
        "da": "Fuglene synger i haven.",
        "de": "Die Vögel singen im Garten.",
        "el": "Τα πουλιά κελαηδούν στον κήπο.",
        "en": "The birds are singing in the garden.",
        "es": "Los pájaros cantan en el jardín.",
        "eu": "Txoriak lorategian kantari ari dira.",
        "fa": "پرنده‌ها در باغ آواز می‌خوانند.",
        "fi": "Linnut laulavat puutarhassa.",
        "fr": "Les oiseaux chantent dans le jardin.",
        "he": "הציפורים שרות בגן.",
        "hi": "चिड़ियाँ बगीचे में गा रही हैं।",
        "hu": "A madarak a kertben énekelnek.",
        "id": "Burung-burung bernyanyi di taman.",
        "is": "Fuglarnir syngja í garðinum.",
        "it": "Gli uccelli cantano in giardino.",
        "ja": "にわで とりが うたっています。",  # kana only, as Kokoro reads no kanji
        "ka": "ჩიტები ბაღში მღერიან.",
        "kk": "Құстар бақта ән салады.",
        "ko": "새들이 정원에서 노래합니다.",
        "ku": "Çûk li baxçe distirên.",
        "lb": "D'Vullen sangen am Gaart.",
        "lt": "Paukščiai gieda sode.",
        "lv": "Putni dzied dārzā.",
        "ml": "പക്ഷികൾ പൂന്തോട്ടത്തിൽ പാടുന്നു.",
        "ne": "चराहरू बगैंचामा गाउँछन्।",
        "nl": "De vogels zingen in de tuin.",
        "no": "Fuglene synger i hagen.",
        "pl": "Ptaki śpiewają w ogrodzie.",
        "pt": "Os pássaros cantam no jardim.",
        "ro": "Păsările cântă în grădină.",
        "ru": "Птицы поют в саду.",
        "sk": "Vtáky spievajú v záhrade.",
        "sl": "Ptice pojejo na vrtu.",
        "sq": "Zogjtë këndojnë në kopsht.",
        "sr": "Птице певају у башти.",
        "sv": "Fåglarna sjunger i trädgården.",
        "sw": "Ndege wanaimba bustanini.",
        "ta": "பறவைகள் தோட்டத்தில் பாடுகின்றன.",
        "te": "పక్షులు తోటలో పాడుతున్నాయి.",
        "th": "นกร้องเพลงในสวน",
        "tr": "Kuşlar bahçede ötüyor.",
        "uk": "Птахи співають у саду.",
        "ur": "پرندے باغ میں گا رہے ہیں۔",
        "vi": "Chim hót trong vườn.",
        "zh": "小鸟在花园里唱歌。",
    }
)
"""By ISO 639-1 code; birds sing in a garden in each of them."""


def sample(language: str) -> str | None:
    """The sentence in a voice's language (BCP 47), or None where there is none."""
    return SAMPLES.get(base_language(language))
