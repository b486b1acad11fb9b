"""The gather automation, and the functions of S001 under one address that does not move (`from gather_pipeline.gather import ...`).

Each name is loaded when it is first asked for, so that importing the package costs nothing.
"""

from importlib import import_module

_WHERE = {
    "default_embedder": "gather_pipeline.similarity.defaults",
    "deduplicate_items": "gather_pipeline.similarity.deduplicate",
    "check_semantic_similarity": "gather_pipeline.similarity.deduplicate",
    "batch_similarity_check": "gather_pipeline.similarity.deduplicate",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
