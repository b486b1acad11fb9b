"""The encoder without padding, held against sentence-transformers' own."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from gather_pipeline.adapters.minilm import MiniLM, model_folder
from gather_pipeline.adapters.minilm_forward import BATCH_TOKENS, LEAST_TOKENS, PackedEncoder, split
from gather_pipeline.gather.deduplicate import DuplicateDetector, KnownItems

SUBJECTS = ("lamp room", "oil store", "chapel bell", "second log book", "red door", "winter ferry")
NOTES = [
    f"In {place + 3} of the scenes the {subject} stands for what Elias Varga never {verb}, and Mara Lindqvist {other} it before the storm."
    for place, subject in enumerate(SUBJECTS)
    for verb, other in (("said", "finds"), ("said", "discovers"), ("wrote down", "leaves"))
]
TEXTS = [*NOTES, "", " \n", "bell", "灯台守は嵐の前にランプを整える。", "x" * 5_000, "word " * 700, " ".join(NOTES[:9])]


@pytest.fixture(scope="module")
def plain() -> Any:
    from sentence_transformers import SentenceTransformer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def encoder(plain: Any) -> PackedEncoder:
    return PackedEncoder.from_sentence_transformer(plain)


@pytest.fixture
def cores() -> Any:
    """Sets the number of cores; it is as before when the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


# The same vectors


@pytest.mark.parametrize("number", [1, 2, 5])
def test_its_vectors_are_those_of_sentence_transformers(encoder: PackedEncoder, plain: Any, cores: Any, number: int) -> None:
    cores(number)
    rows, expected = encoder.encode(TEXTS), plain.encode(TEXTS, show_progress_bar=False)
    assert rows.dtype == np.float32
    assert np.abs(rows - expected).max() < 1e-6
    assert np.abs(rows @ rows.T - expected @ expected.T).max() < 2e-6


def test_the_company_of_a_text_changes_nothing_beyond_the_sixth_decimal(encoder: PackedEncoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-6
    assert np.abs(together - encoder.encode(TEXTS[::-1])[::-1]).max() < 1e-6


def test_only_the_first_256_word_pieces_count(encoder: PackedEncoder) -> None:
    long, longer, other = encoder.encode(["word " * 254, "word " * 700, "word " * 100])
    assert long == pytest.approx(longer, abs=1e-6)
    assert np.abs(long - other).max() > 1e-3


def test_no_decision_about_duplicates_differs_from_the_one_by_plain_vectors(encoder: PackedEncoder, plain: Any) -> None:
    embedder = MiniLM()

    def decide(rows: Any) -> list[tuple[object, ...]]:
        found = DuplicateDetector(embedder).screen_by_rules(NOTES, rows, KnownItems.empty())
        return [(one.duplicate, one.rule, one.match_id) for one in found]

    ours = decide(encoder.encode(NOTES))
    assert ours == decide(plain.encode(NOTES, show_progress_bar=False))
    assert {duplicate for duplicate, *_ in ours} == {True, False}


# Cores


def test_the_number_of_threads_is_as_before_afterwards(encoder: PackedEncoder, cores: Any) -> None:
    cores(3)
    encoder.encode(TEXTS)
    assert torch.get_num_threads() == 3
    product = torch.ones(64, 64) @ torch.ones(64, 64)
    assert float(product[0, 0]) == 64.0


def test_what_fails_on_one_core_is_raised_and_leaves_the_encoder_usable(
    encoder: PackedEncoder, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(2)
    forward = encoder._forward

    def break_on_long(texts: Any) -> Any:
        if max(map(len, texts)) == 256:
            raise MemoryError("no room")
        return forward(texts)

    with monkeypatch.context() as patch:
        patch.setattr(encoder, "_forward", break_on_long)
        with pytest.raises(MemoryError, match="no room"):
            encoder.encode(TEXTS)
    assert torch.get_num_threads() == 2
    assert np.isfinite(encoder.encode(TEXTS)).all()


# Batches


@pytest.mark.parametrize("cores", [1, 2, 16])
@pytest.mark.parametrize(
    "lengths", [[2], [256], [60] * 10, [5, 250, 17, 90] * 40, [256] * 33, [3] * 1000], ids=lambda lengths: f"{len(lengths)}x"
)
def test_every_text_is_in_one_batch_and_no_batch_is_much_too_long(lengths: list[int], cores: int) -> None:
    batches = split(lengths, cores)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    totals = [sum(lengths[place] for place in batch) for batch in batches]
    assert max(totals) <= BATCH_TOKENS + max(lengths)
    assert max(totals) - min(totals) <= 2 * max(lengths)


def test_each_core_gets_as_many_batches_as_any_other() -> None:
    assert len(split([64] * 16, 2)) == 2
    assert len(split([64] * 33, 2)) == 4
    assert len(split([64] * 33, 3)) == 3


def test_texts_of_one_batch_are_about_as_long() -> None:
    lengths = [10, 200] * 20
    assert [{lengths[place] for place in batch} for batch in split(lengths, 6)][0] == {200}


def test_a_few_words_are_left_to_one_core() -> None:
    assert split([LEAST_TOKENS // 2] * 3, 8) == [[0, 1, 2]]
    assert len(split([LEAST_TOKENS] * 3, 8)) == 3
