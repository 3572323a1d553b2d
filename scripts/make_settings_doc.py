"""Write docs/settings.md from the declared settings: ``python scripts/make_settings_doc.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.domain.setting import Group, Kind, Setting, Value  # noqa: E402 - after the path
from app.domain.settings import SETTINGS, in_group  # noqa: E402

TARGET = ROOT / "docs" / "settings.md"
_INTRO = """\
# Settings

This page is made from the program's own declarations (`app/domain/settings.py`) by `scripts/make_settings_doc.py`.

The settings are in `settings.toml`, in the profile's `config` folder. You can change the file by hand while Alcove is
closed: only what differs from the default stands in it, comments and keys that Alcove does not know are kept, and a
value that cannot be is passed over with a message.

```toml
[generation]
temperature = 0.7

[chat]
effort = "high"
```
"""


def document() -> str:
    """The whole page."""
    parts = [_INTRO]
    for group in Group:
        if settings := in_group(group):
            parts += [f"## {group.value}\n", *map(_section, settings)]
    hidden = [setting for setting in SETTINGS if setting.hidden]
    parts.append("## Kept by the program itself\n")
    parts.append("These stand in the file, but not in the settings pane.\n")
    parts += map(_section, hidden)
    return "\n".join(parts)


def _section(setting: Setting[Value]) -> str:
    lines = [f"### {setting.label}\n", f"{setting.help}\n", f"- Key: `{setting.key}`", f"- Values: {_values(setting)}"]
    lines.append(f"- Default: {_default(setting)}")
    lines.append(f"- Applies {setting.applies.value}\n")
    return "\n".join(lines)


def _values(setting: Setting[Value]) -> str:
    match setting.kind:
        case Kind.BOOL:
            return "`true`, `false`"
        case Kind.CHOICE:
            return ", ".join(f'`"{choice.value}"` ({choice.label})' for choice in setting.choices)
        case Kind.TEXT:
            return "text" + (", of several lines if you like" if setting.multiline else "")
        case Kind.INT | Kind.FLOAT:
            unit = f" {setting.unit}" if setting.unit else ""
            special = "" if setting.special is None else f"; {setting.special}: {setting.special_label}"
            kind = "whole number" if setting.kind is Kind.INT else "number"
            return f"a {kind} from {setting.minimum} to {setting.maximum}{unit}{special}"


def _default(setting: Setting[Value]) -> str:
    if setting.kind is Kind.TEXT:
        return f'`"{setting.default}"`' if setting.default else "empty"
    return f'`"{setting.default}"`' if isinstance(setting.default, str) else f"`{setting.default}`"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(document(), encoding="utf-8", newline="\n")
    print(f"{TARGET.relative_to(ROOT)} is written.")
