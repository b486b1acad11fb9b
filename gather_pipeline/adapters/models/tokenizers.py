"""Counts tokens as a model does: by the tables of a package that ships them, or by those in the weights of the embedded model.

Nothing is downloaded. A model whose tables are not at hand (Claude and Gemini keep theirs) is counted by nobody here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

Count = Callable[[str], int]

# By what a model's id ends in after its vendor; the names are splintr's.
VOCABULARIES = (
    (r"gpt-oss", "gpt-oss"),
    (r"gpt-(?:4o|4\.1|4\.5|5)|o[134](?:-|$)|chatgpt-4o", "o200k_base"),
    (r"gpt-(?:4|3\.5)", "cl100k_base"),
    (r"(?:meta-)?llama-?3", "llama3"),
    (r"(?:meta-)?llama-?2|tinyllama", "llama2"),
    (r"qwen-?[23]", "qwen3"),
    (r"deepseek", "deepseek_v3"),
    (r"glm-4", "glm4"),
    (r"kimi-k2", "kimi_k2"),
    (r"mistral-(?:nemo|large)|pixtral", "mistral_v3"),
    (r"phi-4", "phi4"),
    (r"olmo-2", "olmo2"),
)
# A word of GGUF's pre-tokenizers that splits digits one by one; the others' splits change a count by less than a hundredth.
SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "olmo", "default")
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
TEXT, ARRAY = 8, 9


def vocabulary_of(model: str) -> str | None:
    """The vocabulary of a model id such as ``openai/gpt-4o-mini``, None where it is not known."""
    name = model.rsplit("/", 1)[-1].casefold()
    return next((vocabulary for pattern, vocabulary in VOCABULARIES if re.match(pattern, name)), None)


@lru_cache(maxsize=4)  # some 40 MB each
def counter_of(vocabulary: str) -> Count:
    """Counts by a vocabulary that `vocabulary_of` names; an ordinary text is never taken for a control token."""
    from splintr import Tokenizer  # loads in 0.4 s

    encode = Tokenizer.from_pretrained(vocabulary).encode_ordinary
    return lru_cache(maxsize=65536)(lambda text: len(encode(text)))


@lru_cache(maxsize=1)
def weights_counter(path: Path) -> Count | None:
    """Counts by the tokenizer in a GGUF file; None where it is no byte-level one, or the file is not there or cannot be read.

    Held against llama.cpp's own counts for SmolLM2 in texts of fourteen languages: the same for each.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers  # comes with transformers

    try:
        found = gguf_metadata(path)
        if found["tokenizer.ggml.model"] != "gpt2":
            return None
        vocabulary = {token: place for place, token in enumerate(found["tokenizer.ggml.tokens"])}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(pair.split(" ")) for pair in found["tokenizer.ggml.merges"]]))
    except Exception:  # whatever a damaged file leads to, down to the library's own complaint about its merges
        return None
    single = [pre_tokenizers.Digits(individual_digits=True)] if found.get("tokenizer.ggml.pre") in SINGLE_DIGITS else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*single, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return lru_cache(maxsize=65536)(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))


def gguf_metadata(path: Path) -> Mapping[str, Any]:
    """The keys at the head of a GGUF file.

    Raises:
        ValueError: It is no GGUF file of a version from 2 on.
    """
    with path.open("rb") as file:
        magic, version, _, keys = struct.unpack("<4sIQQ", file.read(24))
        if magic != b"GGUF" or version < 2:
            raise ValueError(f"{path} is no GGUF file")
        return {_text(file): _value(file, *struct.unpack("<I", file.read(4))) for _ in range(keys)}


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind == ARRAY:
        inner, length = struct.unpack("<IQ", file.read(12))
        return [_value(file, inner) for _ in range(length)]
    if kind not in SCALARS:
        raise ValueError(f"a GGUF file has no values of kind {kind}")
    return struct.unpack(SCALARS[kind], file.read(struct.calcsize(SCALARS[kind])))[0]


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    return file.read(length).decode("utf-8", "replace")
