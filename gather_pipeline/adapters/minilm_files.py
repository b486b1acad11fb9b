"""Reads MiniLM from its files with torch alone.

The way through `SentenceTransformer` ends at the same weights and the same tokenizer, and imports scikit-learn, scipy and most of
transformers on it: three quarters of the time that loading took. docs/decisions/0011-start.md has the figures.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.minilm_forward import PackedEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NEEDED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def read_encoder(folder: Path) -> PackedEncoder:
    """The encoder of a folder in the form of sentence-transformers.

    Args:
        folder: Holds `config.json`, `sentence_bert_config.json`, `tokenizer.json` and `model.safetensors`.

    Raises:
        ValueError: A file is not what it should be, or is of another kind of model; says which and why.
        OSError: A file is not there or cannot be read.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else a warning after each fork
    config, most_tokens = _read_json(folder / "config.json"), _read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    for name, expected in NEEDED.items():
        if config.get(name) != expected:
            raise ValueError(f"config.json: {name} is {config.get(name)!r}, expected {expected!r}")
    if not isinstance(most_tokens, int):
        raise ValueError(f"sentence_bert_config.json: max_seq_length is {most_tokens!r}, expected a number of tokens")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about what it was not built with
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    try:
        return PackedEncoder(
            load_file(folder / "model.safetensors"),
            _Tokenizer(_read_tokenizer(folder / "tokenizer.json")),
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
            most_tokens=most_tokens,
        )
    except SafetensorError as error:
        raise ValueError(f"model.safetensors: {error}") from error
    except KeyError as error:
        raise ValueError(f"model.safetensors or config.json: {error} is missing") from error


class _Tokenizer:
    """Texts to lists of token numbers, called as a tokenizer of transformers is."""

    def __init__(self, body: Tokenizer) -> None:
        self._body = body

    def __call__(self, texts: Sequence[str], *, max_length: int, **padded_and_masked: bool) -> dict[str, list[list[int]]]:
        self._body.enable_truncation(max_length)
        return {"input_ids": [text.ids for text in self._body.encode_batch(list(texts))]}


def _read_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: is not UTF-8 text (byte {error.start})") from None
    try:
        body = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{path.name}: {error}") from error
    body.no_padding()  # the file pads to 128
    return body


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name}: is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path.name}: is a {type(document).__name__}, expected an object")
    return document
