"""What the window adds to the theme's stylesheet, and its measure for distances."""

from collections.abc import Callable
from string import Template

from PySide6.QtWidgets import QWidget

from app.ui.theme import Theme

SHEET = Template("""
#rail QToolButton { border-radius: ${r10}px; padding: 0; }
#rail QToolButton:checked { background: $rail_mark; }

#statusLine { background: $rail; }
#statusLine QLabel { color: $muted; font-size: ${caption}px; }
#statusLine QLabel[tone="bad"] { color: $danger; }
#statusLine QLabel[tone="slow"] { color: $warning; }

#chatList { background: transparent; border: none; }
#renameField { padding: 0 ${r8}px; min-height: 0; }
#newChatButton { text-align: left; padding: ${r4}px ${r8}px; font-weight: 600; }
#newChatButton:focus { padding: ${r3}px ${r7}px; }
#header { background: $page; border-bottom: 1px solid $page; }
#header[scrolled="true"] { border-bottom: 1px solid $border; }
#headerTitle { font-weight: 600; }
#modelButton { font-weight: 600; padding: 0; }

QLineEdit, QPlainTextEdit { placeholder-text-color: $muted; }
#composerCard { background: $composer; border: 1px solid $composer_border; border-radius: ${r20}px; }
#composerCard[active="true"] { border: 1px solid $focus; }
#composerHint { color: $muted; font-size: ${caption}px; padding-right: ${r6}px; }
#footNote { color: $muted; font-size: ${caption}px; }
#chip { border: 1px solid $border; border-radius: ${r14}px; padding: 0; }
#chip:hover { background: $hover; }
#chip:focus { border: 1px solid $focus; }
#sendButton { background: $accent; border-radius: ${send}px; padding: 0; border: 2px solid transparent; }
#sendButton:hover { background: $accent_hover; }
#sendButton:focus { border-color: $text; }
#sendButton:disabled { background: $send_off; }
#editBanner { background: $accent_soft; border-radius: ${r10}px; }

#messageBar[tone="problem"] { background: $warning_soft; border: none; border-bottom: 1px solid $border; }
#messageBar[tone="note"] { background: $text; border: none; border-radius: ${r12}px; }
#messageBar[tone="note"] QLabel { color: $page; }
#messageBar[tone="note"] QToolButton { color: $page; }
#messageBar[tone="note"] QToolButton:hover { background: $note_hover; }
#messageBar[tone="note"] QToolButton:focus { border-color: $page; }
#barAction { font-weight: 600; padding: ${r3}px ${r10}px; border: 1px solid $control_border; }
#barAction:focus { border: 1px solid $focus; }
#statusAction { font-weight: 600; color: $accent_text; padding: 0 ${r8}px; border: 1px solid transparent; }
#statusAction:hover { background: $hover; }
#statusAction:focus { border: 1px solid $focus; }
#messageBar[tone="note"] #barAction { border: none; color: $note_action; }
#barRemedy { color: $muted; }
#boundedWords, #boundedWordsInside { background: transparent; }

#exampleCard {
  background: $page; border: 1px solid $border; border-radius: ${r14}px; text-align: left; padding: ${r12}px ${r14}px;
  font-weight: 400;
}
#exampleCard:hover { background: $surface; border-color: $control_border; }
#exampleCard:focus { border: 2px solid $focus; padding: ${r11}px ${r13}px; }
#greeting { font-size: ${title}px; font-weight: 600; }

#link {
  color: $link; background: transparent; border: none; padding: ${r2}px ${r4}px; min-height: 0; text-align: left;
}
#link:hover { text-decoration: underline; }
#link:focus { border: 2px solid $focus; border-radius: ${r4}px; padding: 0 ${r2}px; }

#modelCard { background: $page; border: 1px solid $border; border-radius: ${r14}px; }
#modelCard[current="true"] { border: 1px solid $accent; }
#modelName { font-size: ${heading3}px; font-weight: 600; }
#badge { border-radius: ${r9}px; padding: ${r2}px ${r8}px; font-size: ${caption}px; background: $hover; color: $muted; }
#badge[tone="good"] { background: $accent_soft; color: $accent_text; }
#badge[tone="bad"] { background: $warning_soft; color: $warning; }
#address { background: $code; border: 1px solid $border; border-radius: ${r8}px; padding: ${r6}px ${r10}px; }
#dropZone { border: 2px dashed $accent; border-radius: ${r20}px; background: $drop; }
#stepNumber {
  background: $accent; color: $on_accent; border-radius: ${r11}px; font-weight: 600; font-size: ${caption}px;
}

#groupList { background: transparent; border: none; outline: none; }
#groupList::item { padding: ${r7}px ${r12}px; border-radius: ${r8}px; margin: 1px 0; color: $text; }
#groupList::item:selected { background: $pressed; }
#settingsCard { background: $page; border: 1px solid $border; border-radius: ${r14}px; }
#settingLabel { font-weight: 600; }
#settingError { color: $danger; font-size: ${caption}px; }
#hairline { background: $border; border: none; }
#sectionTitle { font-size: ${heading3}px; font-weight: 600; }

#numberField { background: $raised; border: 1px solid $control_border; border-radius: ${r8}px; }
#numberField QLineEdit { border: none; background: transparent; padding: 0; border-radius: 0; }
#numberField[active="true"] { border: 1px solid $focus; }
#numberField[wrong="true"] { border: 1px solid $danger; }
#numberField #unit { color: $muted; padding-right: ${r6}px; }
#stepButton { padding: 0; border: none; border-radius: ${r6}px; }
#segments { background: $hover; border: none; border-radius: ${r9}px; }
#segments QPushButton {
  background: transparent; border: 1px solid transparent; border-radius: ${r7}px; padding: ${r4}px ${r12}px;
}
#segments QPushButton:hover { color: $text; }
#segments QPushButton:checked { background: $segment; border: 1px solid $border; font-weight: 600; }
#segments QPushButton:focus { border: 1px solid $focus; }
#pageTitle { font-size: ${title}px; font-weight: 600; }
""")

PIXELS = (2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 20)


def scaled(theme: Theme) -> Callable[[float], int]:
    """Distances at the reader's text size: ``px = scaled(theme)``, then ``px(16)`` is 16 at 100%."""

    def px(distance: float) -> int:
        return max(1, round(distance * theme.scale)) if distance else 0

    return px


def shell_sheet(theme: Theme) -> str:
    """The window's part of the stylesheet."""
    px = scaled(theme)
    c = theme.colours
    colours = {name: getattr(c, name) for name in c.__slots__ if name != "syntax"}
    sizes = {name: str(round(getattr(theme.type, name))) for name in ("caption", "interface", "heading3", "title")}
    return SHEET.substitute(
        colours,
        **sizes,
        **{f"r{n}": str(px(n)) for n in PIXELS},
        send=str(px(34) // 2),
        composer=c.raised,
        composer_border=c.border if theme.dark else "#d3d8d8",
        rail_mark=c.accent_soft,
        accent_text=c.accent if theme.dark else c.accent_hover,
        note_action="#7fd8cf" if not theme.dark else "#0a6a64",
        send_off=c.pressed if theme.dark else c.hover,
        note_hover="#3a4042" if not theme.dark else "#c9cecf",
        segment=c.pressed if theme.dark else c.page,
        drop=c.accent_soft,
    )


def restyle(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the stylesheet looks at, and have it looked at again."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    for child in widget.findChildren(QWidget):  # rules about what is inside it
        child.style().unpolish(child)
        child.style().polish(child)
    widget.update()
