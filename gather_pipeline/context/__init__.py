"""What goes into a prompt, under a token budget, and the ledger of what did not.

`selection.select` chooses among candidates; `processing.process_context_for_agent` does it for a writer's typed elements, and
`distillation.distil` has long ones shortened.
"""
