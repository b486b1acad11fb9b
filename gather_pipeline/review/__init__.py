"""The one queue for whatever waits for a person: what follows from a decision (S004-VER-04, C41).

Reviews are kept by `records.review`; this room checks what a person writes, decides, and tells the executions that wait.
"""
