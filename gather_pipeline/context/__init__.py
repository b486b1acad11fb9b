"""What goes into a prompt, under a token budget, and the ledger of what did not."""
