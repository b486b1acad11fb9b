"""The arithmetic of MiniLM with no token of padding, on every core.

`SentenceTransformer.encode` pads each 32 texts to the longest of them (a tenth more tokens among notes of one length, half as many more
among mixed texts) and lets all cores share every single operation, where each waits for the slowest. Here the tokens of a batch lie end
to end, only attention looks at texts one by one, and each core works on batches of its own. The weights, the tokenizer and the precision
(fp32) are those of the loaded model; results differ in the seventh decimal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from gather_pipeline.ports import Vectors

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS = 1024  # the widest layer then holds 6 MB; more gains nothing and falls out of the caches
LEAST_TOKENS = 128  # below it a matrix product is too thin to be worth a core of its own


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """Weights of one layer, turned for a product from the right; query, key and value lie side by side."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    out_norm: tuple[Tensor, Tensor]
    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor
    down_norm: tuple[Tensor, Tensor]

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], prefix: str) -> _Layer:
        """The layer whose weights bear that prefix in a BERT checkpoint."""
        import torch

        own, parts = f"{prefix}attention.self.", ("query", "key", "value")

        def turned(name: str) -> Tensor:
            return state[f"{prefix}{name}.weight"].t().contiguous()

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"]

        return cls(
            qkv=torch.cat([state[f"{own}{part}.weight"] for part in parts]).t().contiguous(),
            qkv_bias=torch.cat([state[f"{own}{part}.bias"] for part in parts]),
            out=turned("attention.output.dense"),
            out_bias=state[f"{prefix}attention.output.dense.bias"],
            out_norm=norm("attention.output.LayerNorm"),
            up=turned("intermediate.dense"),
            up_bias=state[f"{prefix}intermediate.dense.bias"],
            down=turned("output.dense"),
            down_bias=state[f"{prefix}output.dense.bias"],
            down_norm=norm("output.LayerNorm"),
        )


class PackedEncoder:
    """Unit vectors of texts by the weights of a loaded sentence-transformers model; not to be shared between threads unlocked."""

    def __init__(self, state: Mapping[str, Tensor], tokenizer: Any, *, layers: int, heads: int, epsilon: float, most_tokens: int) -> None:
        """An encoder of given weights.

        Args:
            state: Weights by their names in a BERT checkpoint.
            tokenizer: Texts to lists of token numbers.
            layers: Number of layers.
            heads: Attention heads of a layer.
            epsilon: Summand under the root of each layer norm.
            most_tokens: Tokens after which a text is cut.
        """
        self._tokenizer = tokenizer
        self._heads = heads
        self._epsilon = epsilon
        self._most_tokens = most_tokens
        self._words = state["embeddings.word_embeddings.weight"]
        self._places = state["embeddings.position_embeddings.weight"] + state["embeddings.token_type_embeddings.weight"][0]
        self._norm = (state["embeddings.LayerNorm.weight"], state["embeddings.LayerNorm.bias"])
        self._layers = [_Layer.from_state(state, f"encoder.layer.{number}.") for number in range(layers)]

    @classmethod
    def from_sentence_transformer(cls, model: Any) -> PackedEncoder:
        """The encoder of a loaded `SentenceTransformer` that is BERT, GELU and mean pooling, as all-MiniLM-L6-v2 is."""
        body = model[0].auto_model
        return cls(
            {name: weight.detach() for name, weight in body.state_dict().items()},
            model.tokenizer,
            layers=body.config.num_hidden_layers,
            heads=body.config.num_attention_heads,
            epsilon=body.config.layer_norm_eps,
            most_tokens=model.max_seq_length,
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1, float32, one a text and in order."""
        import torch

        tokens: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self._most_tokens, padding=False, return_attention_mask=False
        )["input_ids"]
        rows = np.empty((len(tokens), self._words.shape[1]), dtype=np.float64)

        def work(batch: list[int]) -> None:
            rows[batch] = self._forward([tokens[place] for place in batch])

        cores = torch.get_num_threads()
        batches = split([len(text) for text in tokens], cores)
        if len(batches) == 1:
            work(batches[0])
        else:
            pool = ThreadPoolExecutor(min(cores, len(batches)), initializer=torch.set_num_threads, initargs=(1,))
            try:
                list(pool.map(work, batches))
            finally:
                pool.shutdown(cancel_futures=True)
                torch.set_num_threads(cores)  # the number is partly one for all threads
        unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _forward(self, texts: Sequence[Sequence[int]]) -> Any:
        """Mean vectors of texts given as token numbers, shape (n, d); neighbours of one length share their attention."""
        import torch
        from torch.nn.functional import layer_norm, scaled_dot_product_attention

        counts = [(len(list(same)), length) for length, same in groupby(texts, len)]
        ends = np.cumsum([count * length for count, length in counts]).tolist()
        groups = [(slice(end - count * length, end), count, length) for end, (count, length) in zip(ends, counts, strict=True)]
        width = self._words.shape[1]
        with torch.inference_mode():

            def norm(x: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
                return layer_norm(x, (width,), *weights, eps=self._epsilon)

            places = torch.cat([torch.arange(length).repeat(count) for count, length in counts])
            x = norm(self._words[torch.tensor(list(chain.from_iterable(texts)))] + self._places[places], self._norm)
            # Kept from layer to layer: fresh memory costs a twentieth more.
            first = self._layers[0]
            seen, qkv, wide = torch.empty_like(x), x.new_empty(len(x), len(first.qkv_bias)), x.new_empty(len(x), len(first.up_bias))
            for layer in self._layers:
                torch.mm(x, layer.qkv, out=qkv).add_(layer.qkv_bias)
                for rows, count, length in groups:
                    query, key, value = qkv[rows].view(count, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
                    heads = scaled_dot_product_attention(query, key, value)
                    seen[rows].view(count, length, self._heads, -1).copy_(heads.transpose(1, 2))
                x = norm(x.add_(layer.out_bias).addmm_(seen, layer.out), layer.out_norm)
                torch.ops.aten.gelu_(torch.mm(x, layer.up, out=wide).add_(layer.up_bias))
                x = norm(x.add_(layer.down_bias).addmm_(wide, layer.down), layer.down_norm)
            return torch.cat([x[rows].view(count, length, width).mean(1) for rows, count, length in groups]).numpy()


def split(lengths: Sequence[int], cores: int) -> list[list[int]]:
    """Batches of about as many tokens each, as places in `lengths`, longest texts first.

    As many batches as cores or a multiple of it, none much longer than `BATCH_TOKENS`; fewer where a core would get less than
    `LEAST_TOKENS`.
    """
    total = sum(lengths)
    wanted = min(cores * -(-total // (cores * BATCH_TOKENS)), max(1, total // LEAST_TOKENS))
    batches: list[list[int]] = [[] for _ in range(wanted)]
    before = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        batches[before * wanted // total].append(place)
        before += lengths[place]
    return [batch for batch in batches if batch]
