"""What goes into a prompt, under a token budget, and the ledger of what did not.

`select` chooses among candidates; `process_context_for_agent` does it for a writer's typed elements, and `distil` has long ones shortened.
"""

from gather_pipeline.context.selection import Assembly as Assembly
from gather_pipeline.context.selection import Candidate as Candidate
from gather_pipeline.context.selection import select as select
from gather_pipeline.context.tokens import estimate_tokens as estimate_tokens
