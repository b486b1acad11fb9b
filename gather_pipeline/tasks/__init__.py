"""The task engine: a task is data, one runner executes it (S004).

`definition` says what a task is, `catalogue` finds it, `templates` and `prompting` turn it into a chat, `parsing`, `schemas` and
`validations` turn the answer into a value, `execution` is the record, `runner` puts them in order.
"""
