"""The application's stylesheet.

Widgets choose a variant by the dynamic property ``kind``:

- QPushButton, QToolButton: ``primary``, ``quiet``, ``danger``; without one it is an ordinary button
- QLabel: ``title``, ``heading``, ``muted``, ``caption``, ``danger``
- QFrame, QWidget: ``card``, ``sidebar``, ``rail``, ``page``, ``notice``, ``warning``
"""

from string import Template

from app.ui.icons import ICON_FOLDER
from app.ui.theme.tokens import Theme

SHEET = Template("""
QWidget { font-size: ${interface}px; }
QWidget[kind="page"] { background: $page; }
QWidget[kind="sidebar"] { background: $sidebar; }
QWidget[kind="rail"] { background: $rail; }
QFrame[kind="card"] { background: $surface; border: 1px solid $border; border-radius: ${medium}px; }
QFrame[kind="notice"] { background: $accent_soft; border: none; border-radius: ${medium}px; }
QFrame[kind="warning"] { background: $warning_soft; border: none; border-radius: ${medium}px; }

QLabel { background: transparent; }
QLabel[kind="title"] { font-size: ${title}px; font-weight: 600; }
QLabel[kind="heading"] { font-size: ${heading3}px; font-weight: 600; }
QLabel[kind="muted"] { color: $muted; }
QLabel[kind="caption"] { color: $muted; font-size: ${caption}px; }
QLabel[kind="danger"] { color: $danger; }

QPushButton {
  background: $raised; color: $text; border: 1px solid $control_border; border-radius: 8px;
  padding: 6px 14px; min-height: 20px;
}
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $pressed; }
QPushButton:focus { border: 2px solid $focus; padding: 5px 13px; }
QPushButton:disabled { color: $muted; border-color: $border; background: transparent; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton[kind="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton[kind="primary"]:disabled { background: $hover; color: $muted; border-color: $hover; }
QPushButton[kind="danger"] { color: $danger; }
QPushButton[kind="danger"]:hover { background: $danger_soft; }
QPushButton[kind="quiet"] { background: transparent; border-color: transparent; }
QPushButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:pressed { background: $pressed; }
QPushButton[kind="quiet"]:focus { border: 2px solid $focus; }

QToolButton {
  background: transparent; color: $text; border: 2px solid transparent; border-radius: 8px; padding: 5px;
}
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $pressed; }
QToolButton:focus { border-color: $focus; }
QToolButton:disabled { color: $muted; }
QToolButton[kind="primary"] { background: $accent; color: $on_accent; }
QToolButton[kind="primary"]:hover { background: $accent_hover; }
QToolButton[kind="primary"]:focus { border-color: $text; }
QToolButton[kind="primary"]:disabled { background: $hover; }
QToolButton::menu-indicator { image: none; width: 0; }

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit, QTextEdit {
  background: $raised; color: $text; border: 1px solid $control_border; border-radius: 8px; padding: 6px 10px;
  selection-background-color: $selection; selection-color: $text;
}
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox { min-height: 20px; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus, QTextEdit:focus {
  border: 2px solid $focus; padding: 5px 9px;
}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled, QPlainTextEdit:disabled {
  color: $muted; border-color: $border;
}
QPlainTextEdit[kind="composer"], QTextEdit[kind="composer"] {
  background: transparent; border: none; padding: 0; font-size: ${reading}px;
}
QComboBox QLineEdit { border: none; padding: 0; min-height: 0; background: transparent; }
QAbstractSpinBox QLineEdit { border: none; padding: 0 0 0 8px; min-height: 0; background: transparent; }
QComboBox::drop-down { border: none; width: 26px; }
QComboBox::down-arrow { image: url("$marks/mark-chevron-down-$mode.svg"); width: 14px; height: 14px; }
QComboBox[kind="quiet"] { background: transparent; border-color: transparent; }
QComboBox[kind="quiet"]:hover { background: $hover; }
QComboBox[kind="quiet"]:focus { border-color: $focus; }
QComboBox QAbstractItemView {
  background: $raised; border: 1px solid $border; border-radius: 8px; padding: 4px; outline: none;
  selection-background-color: $accent_soft; selection-color: $text;
}
QComboBox QAbstractItemView::item { min-height: 28px; padding: 0 8px; border-radius: 6px; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {
  border: none; width: 22px; background: transparent;
}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {
  image: url("$marks/mark-chevron-up-$mode.svg"); width: 12px; height: 12px;
}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {
  image: url("$marks/mark-chevron-down-$mode.svg"); width: 12px; height: 12px;
}

QCheckBox, QRadioButton { spacing: 8px; background: transparent; }
QCheckBox::indicator {
  width: 16px; height: 16px; border: 1px solid $control_border; border-radius: 5px; background: $raised;
}
QCheckBox::indicator:hover { border-color: $accent; }
QCheckBox::indicator:checked {
  background: $accent; border-color: $accent; image: url("$marks/mark-check-$mode.svg");
}
QCheckBox::indicator:focus { border: 2px solid $focus; width: 14px; height: 14px; }
QCheckBox::indicator:checked:focus { border-color: $text; }
QRadioButton::indicator {
  width: 14px; height: 14px; border: 1px solid $control_border; border-radius: 8px; background: $raised;
}
QRadioButton::indicator:checked { border: 5px solid $accent; width: 6px; height: 6px; }
QRadioButton::indicator:focus { border-color: $focus; }
QRadioButton::indicator:checked:focus { border-color: $text; }

QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $pressed; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal {
  width: 16px; height: 16px; margin: -6px 0; border-radius: 8px; background: $accent;
}
QSlider::handle:horizontal:focus { background: $text; }
QProgressBar {
  background: $pressed; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; color: transparent;
}
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QAbstractItemView { background: transparent; border: none; outline: none; color: $text; }
QListView::item { padding: 7px 10px; border-radius: 8px; border: 2px solid transparent; }
QListView::item:hover { background: $hover; }
QListView::item:selected { background: $pressed; color: $text; }
QListView::item:focus { border-color: $focus; }
QScrollArea { background: transparent; border: none; }

QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar::handle:vertical { background: $scroll; min-height: 36px; border-radius: 3px; margin: 3px; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle:horizontal { background: $scroll; min-width: 36px; border-radius: 3px; margin: 3px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QMenu { background: $raised; border: 1px solid $border; border-radius: ${medium}px; padding: 6px; }
QMenu::item { padding: 7px 28px 7px 12px; border-radius: 6px; }
QMenu::item:selected { background: $accent_soft; color: $text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 6px 8px; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 5px 8px; }
QSplitter::handle { background: $border; }
QDialog, QMessageBox { background: $page; }
""")


def stylesheet(theme: Theme) -> str:
    """The sheet in this theme's colours and sizes."""
    c = theme.colours
    colours = {name: getattr(c, name) for name in c.__slots__ if name != "syntax"}
    sizes = {
        name: f"{round(getattr(theme.type, name))}" for name in ("caption", "interface", "reading", "heading3", "title")
    }
    return SHEET.substitute(
        colours,
        **sizes,
        scroll=c.pressed if theme.dark else "#c9cfcf",
        medium=theme.radii.medium,
        marks=ICON_FOLDER.as_posix(),
        mode="dark" if theme.dark else "light",
    )
