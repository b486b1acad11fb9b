"""Documents that are made in more than one place: embeddings, and decisions about duplicates."""

from __future__ import annotations

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.items import Item, NewItem, content_hash
from gather_pipeline.ports import Document, Vectors


def embedding_row(item: Item, vector: Vectors, model: str) -> Document:
    """The document of an item's embedding."""
    return {
        "_id": f"{item.id}:{model}",
        "item_id": item.id,
        "department": item.department,
        "iteration": item.iteration,
        "model": model,
        "content_hash": content_hash(item.content),
        "dimensions": int(vector.shape[0]),
        "vector": vector.astype("float32").tobytes(),
    }


def decision_row(id: str, text: NewItem, department: str, iteration: int, place: int, rules: str, decision: Decision) -> Document:
    """The document of a decision about a text: all that a person needs to overrule it.

    Args:
        id: Id that the text's item has or would have had.
        text: What was decided on.
        department: Slug.
        iteration: Number of the iteration, 0 for none.
        place: Place of the text in its batch.
        rules: Version of the rules.
        decision: What was decided.
    """
    return {
        "_id": f"{department}|{iteration:06d}|{place:03d}",
        "item_id": id,
        "department": department,
        "iteration": iteration,
        "place": place,
        "content": text.content,
        "summary": text.summary,
        "context": text.context,
        "aspect": text.aspect,
        "automation": dict(text.provenance) if decision.duplicate else {},
        "duplicate": decision.duplicate,
        "rule": decision.rule,
        "similarity": decision.similarity,
        "cosine": decision.cosine,
        "match_id": decision.match_id,
        "match_content": decision.match_content,
        "reason": decision.reason,
        "rules_version": rules,
    }
