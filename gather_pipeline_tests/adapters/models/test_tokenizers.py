from __future__ import annotations

import struct
from pathlib import Path

import pytest

from gather_pipeline import bootstrap
from gather_pipeline.adapters.models.tokenizers import counter_of, gguf_metadata, vocabulary_of, weights_counter
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline_tests.harness import make_settings


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def texts(*values: str) -> bytes:
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values))


def gguf(path: Path, kind: str = "gpt2", version: int = 3, magic: bytes = b"GGUF") -> Path:
    """A file with a vocabulary of seven tokens and three merges, and no weights."""
    keys = [
        text("general.alignment") + struct.pack("<II", 4, 32),
        text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(kind),
        text("tokenizer.ggml.pre") + struct.pack("<I", 8) + text("smollm"),
        text("tokenizer.ggml.tokens") + struct.pack("<I", 9) + texts("a", "b", "Ġ", "1", "ab", "Ġa", "Ġab"),
        text("tokenizer.ggml.merges") + struct.pack("<I", 9) + texts("a b", "Ġ a", "Ġ ab"),
    ]
    path.write_bytes(struct.pack("<4sIQQ", magic, version, 0, len(keys)) + b"".join(keys))
    return path


def test_the_tokenizer_in_a_weights_file_counts_by_its_merges(tmp_path: Path):
    count = weights_counter(gguf(tmp_path / "tiny.gguf"))
    assert count is not None
    assert [count(one) for one in ("", "ab", "ab ab", "ab ab ab", "ba", "11")] == [0, 1, 2, 3, 2, 2]


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        (text("general.alignment"), b"\xff" * 8 + b"general.alignment"),
        (text("tokenizer.ggml.merges"), text("tokenizer.ggml.MERGES")),
        (texts("a b", "Ġ a", "Ġ ab"), texts("a b", "Ġ a", "Ġ zz")),
        (texts("a b", "Ġ a", "Ġ ab"), texts("a b", "Ġ a", "Ġ ")),
    ],
    ids=["an endless text", "no merges", "a merge of what is no token", "half a merge"],
)
def test_damage_at_the_head_of_a_file_leaves_it_uncounted(tmp_path: Path, part: bytes, damaged: bytes):
    whole = gguf(tmp_path / "damaged.gguf")
    assert part in whole.read_bytes()
    whole.write_bytes(whole.read_bytes().replace(part, damaged))
    weights_counter.cache_clear()
    assert weights_counter(whole) is None


def test_a_file_without_a_byte_level_tokenizer_counts_nothing(tmp_path: Path):
    assert weights_counter(gguf(tmp_path / "spm.gguf", kind="llama")) is None
    assert weights_counter(tmp_path / "missing.gguf") is None
    cut = gguf(tmp_path / "cut.gguf")
    cut.write_bytes(cut.read_bytes()[:90])
    assert weights_counter(cut) is None


@pytest.mark.parametrize("changes", [{"magic": b"GGML"}, {"version": 1}])
def test_what_is_no_gguf_file_is_refused(tmp_path: Path, changes: dict[str, object]):
    with pytest.raises(ValueError, match="is no GGUF file"):
        gguf_metadata(gguf(tmp_path / "x.gguf", **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "vocabulary"),
    [
        ("openai/gpt-4o-mini", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("openai/o3-mini", "o200k_base"),
        ("openai/gpt-4-turbo", "cl100k_base"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("meta-llama/llama-3.1-8b-instruct", "llama3"),
        ("qwen/qwen3-32b", "qwen3"),
        ("deepseek/deepseek-chat", "deepseek_v3"),
        ("anthropic/claude-sonnet-4.5", None),
        ("google/gemini-2.5-pro", None),
        ("scripted", None),
        ("olmoe", None),
    ],
)
def test_a_models_id_names_its_vocabulary_where_it_is_known(model: str, vocabulary: str | None):
    assert vocabulary_of(model) == vocabulary


def test_tables_that_a_package_ships_count_as_the_provider_does():
    """Counted once by tiktoken 0.14."""
    count = counter_of("cl100k_base")
    assert count("The lamp of the last lighthouse burns green oil.") == 11
    assert count("") == 0 and count("<|endoftext|>") > 1


def test_a_model_whose_tables_are_not_at_hand_is_counted_by_the_estimate(tmp_path: Path):
    services = bootstrap.build_services(make_settings(tmp_path, model_path=tmp_path / "none.gguf"))
    assert services.counter_of("anthropic/claude-sonnet-4.5") is estimate_tokens
    assert services.counter_of("embedded") is estimate_tokens
    assert services.counter_of("openai/gpt-4o")("The lamp.") == 3
