"""The task engine: a task is data, one runner executes it (S004).

`definition` says what a task is, `catalogue` finds it, `templates` and `prompting` turn it into a chat, `asking` asks models, `parsing`,
`schemas` and `validations` turn the answer into a value, `verification` checks it, `execution` is the record, `runner` puts them in order
and `executor` is the door of a program.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gather_pipeline.tasks.executor import TaskExecutor as TaskExecutor
    from gather_pipeline.tasks.llm import get_llm_model as get_llm_model
    from gather_pipeline.tasks.options import ExecutionOptions as ExecutionOptions


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: who reads a definition needs no executor."""
    if name == "TaskExecutor":
        from gather_pipeline.tasks.executor import TaskExecutor

        return TaskExecutor
    if name == "ExecutionOptions":
        from gather_pipeline.tasks.options import ExecutionOptions

        return ExecutionOptions
    if name == "get_llm_model":
        from gather_pipeline.tasks.llm import get_llm_model

        return get_llm_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
