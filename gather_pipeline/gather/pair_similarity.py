"""One question, "how sure are we that these two texts say the same?", answered once a pair and remembered.

Texts are compared on their first 500 characters, as S001-DUP-05 says. But a text is more than its beginning: the guard reads on,
and two texts that agree at first and part later are never called the same (C60).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from gather_pipeline.domain.items import content_hash
from gather_pipeline.gather.guard import Conflict, first_conflict
from gather_pipeline.gather.pair_model import CONFLICT_FACTOR, compare
from gather_pipeline.gather.pair_reading import read

COMPARE_CHARS = 500  # S001-DUP-05
GUARD_CHARS = 4_000  # a note longer than this is judged by its beginning and by the words of the rest
READ_CHARS = 20_000  # what follows is compared as it stands
REST_CONTAINED = 0.7  # share of the rest's words that the other text must hold
REST_CEILING = 0.5
CACHE_SIZE = 20_000  # pairs; about 10 MB

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How alike two texts are.

    Attributes:
        probability: That people call them the same, 0 to 1.
        cosine: Cosine of the embeddings that went in; None where equal text made it needless.
        conflict: Fact in which they differ, None where the guard found none.
        exact: True where they are equal but for case and white space.
        lexical: True where the characters decided, not the embedding.
        parted: True where the beginnings may agree and what follows does not.
    """

    probability: float
    cosine: float | None
    conflict: Conflict | None = None
    exact: bool = False
    lexical: bool = False
    parted: bool = False

    @property
    def unguarded(self) -> float:
        """The probability as it was before a conflict lowered it."""
        return self.probability / CONFLICT_FACTOR if self.conflict else self.probability


EXACT = Similarity(probability=1.0, cosine=None, exact=True)
NOTHING = Similarity(probability=0.0, cosine=None)


class PairComparer:
    """Compares pairs of texts under the vectors of one embedding model, with a bounded cache (S001-DUP-06)."""

    def __init__(self, compare_chars: int = COMPARE_CHARS, cache_size: int = CACHE_SIZE) -> None:
        self.compare_chars = compare_chars
        self._cache_size = cache_size
        self._cache: OrderedDict[Key, Similarity] = OrderedDict()
        self._lock = Lock()

    def head(self, text: str) -> str:
        """The part of a text that is embedded and compared word by word."""
        return text[: self.compare_chars]

    def without_vectors(self, a: str, b: str) -> Similarity | None:
        """The answer where none needs a cosine: equal, empty or already compared; else None."""
        if content_hash(a) == content_hash(b):
            return EXACT
        if not a.strip() or not b.strip():
            return NOTHING
        return self._recall(_key(a, b))

    def compare(self, a: str, b: str, cosine: float) -> Similarity:
        """The answer for any pair.

        Args:
            a: One text.
            b: The other; the order of the two does not matter.
            cosine: Cosine of the embeddings of both heads.
        """
        found = self.without_vectors(a, b)
        if found is None:
            # Diffs are not symmetric, so the pair is put in one order.
            found = self._compare(min(a, b), max(a, b), max(-1.0, min(1.0, cosine)))
            self._remember(_key(a, b), found)
        return found

    def _compare(self, a: str, b: str, cosine: float) -> Similarity:
        conflict = first_conflict(read(a[:GUARD_CHARS]), read(b[:GUARD_CHARS]))
        result = compare(read(self.head(a)), read(self.head(b)), cosine, conflict)
        parted = a[READ_CHARS:] != b[READ_CHARS:] or not (self._rest_held(a, b) and self._rest_held(b, a))
        return Similarity(
            probability=min(result.probability, REST_CEILING) if parted else result.probability,
            cosine=cosine,
            conflict=conflict,
            lexical=result.lexical,
            parted=parted,
        )

    def _rest_held(self, a: str, b: str) -> bool:
        """Whether what `a` says after its head stands somewhere in `b`."""
        if len(a) <= self.compare_chars:
            return True
        cut = a.rfind(" ", 0, self.compare_chars) + 1 or self.compare_chars  # the word at the cut belongs to the rest
        rest = [word.stem for word in read(a[cut:READ_CHARS]).telling]
        if not rest:
            return True
        known = {word.stem for word in read(b[:READ_CHARS]).words}
        return sum(word in known for word in rest) >= REST_CONTAINED * len(rest)

    def _recall(self, key: Key) -> Similarity | None:
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
            return found

    def _remember(self, key: Key, value: Similarity) -> None:
        with self._lock:
            self._cache[key] = value
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)


def _key(a: str, b: str) -> Key:
    """Hashes of both texts in one order; unlike `content_hash` they tell capitals apart, because names do."""
    left, right = sorted(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() for text in (a, b))
    return left, right
