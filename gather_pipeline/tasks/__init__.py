"""The task engine: a task is data, one runner executes it (S004).

`definition` says what a task is, `catalogue` finds it, `templates` and `prompting` turn it into a chat, `asking` asks models, `parsing`,
`schemas` and `validations` turn the answer into a value, `verification` checks it, `execution` is the record, `runner` puts them in order
and `executor` is the door of a program.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gather_pipeline.tasks.executor import TaskExecutor as TaskExecutor
    from gather_pipeline.tasks.llm import get_llm_model as get_llm_model
    from gather_pipeline.tasks.options import ExecutionOptions as ExecutionOptions


MODULES = {"TaskExecutor": "executor", "ExecutionOptions": "options", "get_llm_model": "llm"}


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used: reading a definition needs no executor."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
