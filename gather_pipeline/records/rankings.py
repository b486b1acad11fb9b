"""Rankings of models, one document for each task, and for each department of it that has enough executions."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from gather_pipeline.domain.rankings import Ranking
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Document, DocumentStore

RANKINGS = "model_rankings"
DOCUMENT = TypeAdapter(Ranking)


class Rankings:
    """The newest ranking of each."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def get(self, task_id: str, department: str | None = None) -> Ranking | None:
        """The department's ranking, where it has none the task's, None where there is neither."""
        ids = [ranking_id(task_id, department), ranking_id(task_id, None)]
        found = {row["_id"]: row for row in self._store.find(self._database, RANKINGS, {"_id": {"$in": ids}})}
        return next((ranking_of(found[id]) for id in ids if id in found), None)

    def all(self) -> list[Ranking]:
        """All of them, by task and department."""
        return [ranking_of(row) for row in self._store.find(self._database, RANKINGS)]

    def save(self, ranking: Ranking) -> None:
        """Stores a ranking over the last one."""
        self._store.upsert(self._database, RANKINGS, ranking_document(ranking))


def ranking_id(task_id: str, department: str | None) -> str:
    """Id of a ranking's document."""
    return task_id if department is None else f"{task_id}|{department}"


def ranking_document(ranking: Ranking) -> Document:
    """The document of a ranking."""
    return {"_id": ranking_id(ranking.task_id, ranking.department), **to_jsonable_python(ranking)}


def ranking_of(row: Document) -> Ranking:
    """The ranking of a document; raises `InvalidInput` that names the field where it is none."""
    try:
        return DOCUMENT.validate_python(row)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidInput(f"ranking {row.get('_id')}: {place} is missing or wrong, expected the document of a ranking") from None
