"""Where the files that ship with the program are: beside the package, installed, frozen or in a checkout."""

from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[1] / "resources"

DEMO_MODEL = RESOURCES / "models" / "alcove-demo.gguf"
ICONS = RESOURCES / "icons"
