"""Colours, type, distances, and how they reach the widgets."""

from app.ui.theme.apply import apply_theme, palette, system_is_dark
from app.ui.theme.tokens import Colours, Radii, Spacing, Syntax, Theme, TypeScale

__all__ = [
    "Colours",
    "Radii",
    "Spacing",
    "Syntax",
    "Theme",
    "TypeScale",
    "apply_theme",
    "palette",
    "system_is_dark",
]
