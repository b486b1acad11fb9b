"""What is large and may be needed again: JSON values, each stored once in its database, under its hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from gather_pipeline.errors import DuplicateKey
from gather_pipeline.ports import DocumentStore
from gather_pipeline.tasks.execution import digest

CONTENTS = "contents"


class Contents:
    """The values of one database; none is ever changed."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def put(self, values: Iterable[Any]) -> None:
        """Stores values that are not there yet, each under its `digest`, as text, for a value may have keys that the store refuses."""
        for hash, value in {digest(value): value for value in values}.items():
            with suppress(DuplicateKey):  # it is there: a look before would cost as much
                self._store.insert_many(self._database, CONTENTS, [{"_id": hash, "json": json.dumps(value, ensure_ascii=False)}])

    def get(self, hashes: Iterable[str]) -> dict[str, Any]:
        """The values of those hashes that are there."""
        wanted = list(dict.fromkeys(hashes))
        found = self._store.find(self._database, CONTENTS, {"_id": {"$in": wanted}}) if wanted else []
        return {row["_id"]: json.loads(row["json"]) for row in found}
