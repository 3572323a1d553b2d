"""Alcove's tests: unit, engine (a real child and model), widget (mouse and keys) and e2e."""
