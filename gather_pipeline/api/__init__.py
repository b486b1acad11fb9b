"""The HTTP face: a studio's applications start, watch and read what the command line does, by the same words."""
