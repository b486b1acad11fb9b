"""The documents of every collection, made from typed values and read back: the one place that knows their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gather_pipeline.domain.automation import AutomationResult, DepartmentResult, Run
from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.departments import Department, StoredDepartment
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import TEXTS, Item, NewItem, item_id
from gather_pipeline.domain.iterations import Fingerprint, Iteration
from gather_pipeline.domain.layers import LAYER_OF
from gather_pipeline.domain.ledger import Entry, Ledger
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import WEIGHTS, Analysis, Part, Quality, Score
from gather_pipeline.ports import Document, Vectors


def quality_document(quality: Quality) -> Document:
    """A measurement, as iterations and scores keep it."""
    parts = {
        name: {"value": part.value, "weight": WEIGHTS[name], "reasons": list(part.reasons), "evidence": list(part.evidence)}
        for name, part in quality.parts.items()
    }
    return {
        "value": quality.value,
        "scale": "0-100",
        "judged": quality.judged,
        "parts": parts,
        "scorer": quality.scorer,
        "version": quality.version,
        "least_covered": list(quality.least_covered),
        "unjudged": quality.unjudged,
        "contradictions": list(quality.contradictions),
        "deduction": quality.deduction,
    }


def quality_of(document: Mapping[str, Any]) -> Quality:
    """A measurement; rows of earlier releases lack contradictions and deduction."""
    return Quality(
        parts={
            name: Part(value=part["value"], reasons=tuple(part["reasons"]), evidence=tuple(part.get("evidence", ())))
            for name, part in document["parts"].items()
        },
        scorer=document["scorer"],
        version=document["version"],
        least_covered=tuple(document.get("least_covered", ())),
        unjudged=document.get("unjudged"),
        contradictions=tuple(document.get("contradictions", ())),
        deduction=document.get("deduction", 0.0),
    )


def iteration_document(iteration: Iteration) -> Document:
    """A row of `iterations`, as its commit stores it."""
    fields = {name: value for name, value in vars(iteration).items() if name not in ("data_version", "asked")}
    measured = {**quality_document(iteration.quality), "data_version": iteration.data_version, "asked": iteration.asked}
    return {
        **fields,
        "_id": iteration.id,
        "inputs": asdict(iteration.inputs),
        "quality": measured,
        "seconds": dict(iteration.seconds),
        "item_ids": list(iteration.item_ids),
        "faults": list(iteration.faults),
    }


def iteration_of(document: Mapping[str, Any]) -> Iteration:
    """The iteration of a row."""
    measured = document["quality"]
    changed = {
        "inputs": Fingerprint(**document["inputs"]),
        "quality": quality_of(measured),
        "data_version": measured.get("data_version"),
        "asked": measured.get("asked"),
        "item_ids": tuple(document["item_ids"]),
        "faults": tuple(document["faults"]),
    }
    return Iteration(**_known(Iteration, document) | changed)


def ledger_document(ledger: Ledger) -> Document:
    """The account of one prompt's context, as it is stored and shown."""
    elements = [entry._asdict() for entry in ledger.entries]
    fields = {name: value for name, value in vars(ledger).items() if name != "entries"}
    return {**fields, "aspects": list(ledger.aspects), "included_tokens": ledger.included_tokens, "elements": elements}


def ledger_of(document: Mapping[str, Any]) -> Ledger:
    """The ledger of a document."""
    return Ledger(
        **_known(Ledger, document) | {"aspects": tuple(document["aspects"]), "entries": tuple(Entry(**row) for row in document["elements"])}
    )


def early_ledger_of(rows: Sequence[Mapping[str, Any]]) -> Ledger:
    """The ledger that an iteration of an earlier release kept with it; which order it was chosen in and what was left is not known."""
    entries = [
        Entry(
            id=row["id"],
            kind=row["kind"],
            layer=LAYER_OF[row["kind"]],
            priority="high" if row["kind"] == "brief" else "low" if row["kind"] == "brain" else "medium",
            hash=row["hash"],
            state="distilled" if row["outcome"] == "shortened" else row["outcome"],
            tokens=row["tokens"],
            full_tokens=row["full_tokens"],
            limit=0,
            rank=rank,
            reason=row["reason"],
        )
        for rank, row in enumerate(rows, start=1)
    ]
    return Ledger(budget=sum(entry.tokens for entry in entries if entry.state != "dropped"), entries=tuple(entries))


def score_document(score: Score) -> Document:
    """A row of `quality_scores`."""
    fields = {name: value for name, value in vars(score).items() if name not in ("quality", "revision")}
    return {**quality_document(score.quality), **fields, "_id": score.department, "reached": score.reached}


def score_of(document: Mapping[str, Any]) -> Score:
    """The score of a row; rows of earlier releases lack some fields."""
    optional: dict[str, Any] = dict.fromkeys(("department_number", "asked", "user_id", "task_id"))
    return Score(**optional | _known(Score, document) | {"quality": quality_of(document), "revision": document["_version"]})


def draft_document(draft: Draft) -> Document:
    """A row of `drafts`."""
    fields = {name: value for name, value in vars(draft).items() if name != "revision"}
    return {**fields, "_id": draft.department, "item_ids": list(draft.item_ids)}


def draft_of(document: Mapping[str, Any]) -> Draft:
    """The draft of a row."""
    return Draft(**_known(Draft, document) | {"item_ids": tuple(document["item_ids"]), "revision": document["_version"]})


def department_document(stored: StoredDepartment) -> Document:
    """A row of a project's `departments`."""
    return {"_id": stored.slug, **stored.department.model_dump(mode="json"), "place": stored.place, "retired": stored.retired}


def department_of(document: Mapping[str, Any]) -> StoredDepartment:
    """The department of a row."""
    department = Department.model_validate(dict(document))
    return StoredDepartment(department=department, place=document["place"], retired=bool(document.get("retired")))


def embedding_document(item: Item, vector: Vectors, model: str) -> Document:
    """A row of `embeddings`."""
    return {
        "_id": f"{item.id}:{model}",
        "item_id": item.id,
        "department": item.department,
        "iteration": item.iteration,
        "task_id": item.task_id,
        "model": model,
        "content_hash": item.hash,
        "dimensions": int(vector.shape[0]),
        "vector": vector.astype("float32").tobytes(),
    }


def analysis_document(item: Item, key: str, analysis: Analysis) -> Document:
    """A row of `analyses`; words stand apart from their worths, for a key of a document may not be any text."""
    own = {"_id": item.id, "department": item.department, "key": key, "words": list(analysis.worths)}
    return own | vars(analysis) | {"worths": list(analysis.worths.values())}


def analysis_of(document: Mapping[str, Any]) -> Analysis:
    """The analysis of a row."""
    worths = dict(zip(document["words"], document["worths"], strict=True))
    clashes = tuple((sentence, kind, clash) for sentence, kind, clash in document["clashes"])
    return Analysis(**_known(Analysis, document) | {"worths": worths, "faults": tuple(document["faults"]), "clashes": clashes})


def decided_document(decided: DecidedText) -> Document:
    """A row of `duplicate_decisions`; where a text came from is kept only of those that were dropped."""
    text, decision = decided.text, decided.decision
    own = {name: getattr(decided, name) for name in ("item_id", "department", "iteration", "task_id", "place", "rules_version")}
    texts = {name: getattr(text, name) for name in TEXTS}
    return {"_id": decided.key, **own, **texts, "automation": dict(text.provenance) if decision.duplicate else {}, **asdict(decision)}


def decided_of(document: Mapping[str, Any], project_id: str) -> DecidedText:
    """The decision of a row; rows of earlier releases lack ids and some texts."""
    own = {"key": document["_id"], "rules_version": ""} | _known(DecidedText, document)
    if not own.get("item_id"):
        own["item_id"] = item_id(project_id, own["department"], own["iteration"], own["place"])
    texts = {name: document.get(name, "") for name in TEXTS}
    return DecidedText(
        **own,
        text=NewItem(**texts, provenance=document.get("automation") or {}),
        decision=Decision(**_known(Decision, document)),
    )


def event_document(event: Event) -> Document:
    """A row of `events`: its number is its key."""
    return {"_id": f"{event.sequence:012d}", **event.to_document()}


def event_of(document: Mapping[str, Any]) -> Event:
    """The event of a row."""
    own = ("type", "project_id", "task_id", "sequence", "at")
    fields = {name: value for name, value in document.items() if name not in own and not name.startswith("_")}
    return Event(fields=fields, **{name: document[name] for name in own})


def project_document(project: Project, created_at: str) -> Document:
    """A row of `projects`."""
    return {"_id": project.id, "name": project.name, "brief": project.brief, "created_at": created_at}


def project_of(document: Mapping[str, Any]) -> Project:
    """The project of a row."""
    return Project(id=document["_id"], name=document["name"], brief=document["brief"])


def run_of(document: Mapping[str, Any]) -> Run:
    """The run of a row."""
    result = None
    if "iterations" in document:
        summary = tuple(DepartmentResult(**row) for row in document["summary"])
        result = AutomationResult(**_known(AutomationResult, document) | {"task_id": document["_id"], "summary": summary})
    return Run(**{"request": {}} | _known(Run, document) | {"task_id": document["_id"], "result": result})


def _known(value: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Of a row, the fields of a dataclass."""
    return {name: document[name] for name in value.__dataclass_fields__ if name in document}
