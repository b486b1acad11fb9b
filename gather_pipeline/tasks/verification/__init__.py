"""Where methods of verification go: consensus, hierarchical, external, human (S004-VER). None is here yet.

A definition that asks for one loads and validates; the runner refuses to execute it, because an unverified output that claims to be
verified is worse than none.
"""
