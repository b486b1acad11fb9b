"""Which language a text is in, as far as what follows depends on it: word lists, numbers and the embedding model know English."""

from __future__ import annotations

from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from gather_pipeline.text.words import FUNCTION, raw_words

LATIN_NEEDED = 0.5
ENOUGH_WORDS = 4  # below it nothing but the script speaks
FUNCTION_SHARE = 0.2  # English prose has 0.4 of function words, telegraphic notes 0.1, other languages' prose 0.0 to 0.1
SURE = 0.6


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=8192)
def language_of(text: str) -> str:
    """The text's language as a two-letter code; ``en`` unless the text speaks clearly for another one.

    Short and telegraphic notes ("Lamp room, dawn, salt on lens") give a language identifier too little, so another language is believed
    only where the script is another, or where English function words are rare and py3langid is sure.
    """
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return "en"
    latin = sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters) / len(letters)
    words = raw_words(text)
    if latin >= LATIN_NEEDED:
        share = sum(word in FUNCTION for word in words) / max(1, len(words))
        if len(words) < ENOUGH_WORDS or share >= FUNCTION_SHARE:
            return "en"
    code, probability = _identifier().classify(text)
    return str(code) if probability >= SURE or latin < LATIN_NEEDED else "en"
