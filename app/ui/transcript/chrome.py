"""Which buttons stand where around a message."""

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QRectF

from app.domain.conversation import Role
from app.ui.theme import Theme
from app.ui.transcript import horizon, wording
from app.ui.transcript.blocks import BlockKind
from app.ui.transcript.buttons import Wanted, text_width
from app.ui.transcript.entry import Entry
from app.ui.transcript.layout_values import Laid, Placed
from app.ui.transcript.measures import Measures


class Chrome:
    """Makes the buttons of messages in one theme."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._measures = Measures.of(theme)
        self._copy_width = {
            text: text_width(theme, Wanted((0, "code", 0, 0), QRectF(), "copy", text)) + 2
            for text in (wording.copy(), wording.copied())
        }

    def wanted(
        self,
        entry: Entry,
        laid: Laid,
        near: Iterable[Placed],
        shown: bool,
        busy: bool,
        copied: tuple[int, str, int, int] | None,
    ) -> Iterator[Wanted]:
        """A message's buttons, in reading order and in its coordinates; of its code that of the blocks ``near``.

        ``shown``: the quiet ones are drawn, too. ``busy``: an answer is being made, so that none can be asked for.
        ``copied``: the button that has just copied something says so.
        """
        if laid.fold is not None:
            yield self._fold(entry, laid.fold)
        for placed in near:
            if placed.block.kind is BlockKind.CODE and placed.block.code:
                yield self._copy_code(entry, placed, copied)
        if laid.footer is not None and not entry.streaming:
            yield from self._footer(entry, laid.footer, shown, busy, copied)
        if laid.horizon is not None and entry.mark is not None:
            yield laid.horizon.wanted(entry.node.id, entry.mark)

    def _footer(
        self, entry: Entry, place: QRectF, shown: bool, busy: bool, copied: tuple[int, str, int, int] | None
    ) -> Iterator[Wanted]:
        actions = list(self._actions(entry, shown, busy, copied))
        m = self._measures
        width = sum(action.place.width() for action in actions)
        if width > place.width() + m.inset:  # a narrow window, or large text
            small = [self._small(action) if action.key[1] == "seen" else action for action in actions]
            actions = [action for action in small if action is not None]
            width = sum(action.place.width() for action in actions)
        right = entry.role is Role.USER
        x = place.right() - width if right else place.x() - m.inset
        for action in actions:
            action.place.moveTo(x, place.y() + m.px(2 if right else 4))
            yield action
            x += action.place.width()

    def _small(self, label: Wanted) -> Wanted | None:
        """A label as its icon alone; None when it has none."""
        side = self._measures.button
        if not label.icon:
            return None
        return Wanted(label.key, QRectF(0, 0, side, side), label.icon, name=label.text, enabled=False)

    def receipt(self, entry: Entry, laid: Laid) -> tuple[QRectF, str] | None:
        """The line about how the answer came about, and its place."""
        if laid.footer is None or entry.role is not Role.ASSISTANT or entry.streaming or entry.node.receipt is None:
            return None
        buttons = sum(action.place.width() for action in self._actions(entry, True, False, None))
        m = self._measures
        place = laid.footer.adjusted(buttons + m.px(8), m.px(4), 0, 0)
        place.setHeight(m.button)
        return place, wording.receipt_line(entry.node.receipt)

    def _fold(self, entry: Entry, place: QRectF) -> Wanted:
        title, detail = entry.fold_title()
        key = (entry.node.id, "fold", 0, 0)
        name = wording.fold_name(title, entry.open)
        icon = "chevron-down" if entry.open else "chevron-right"
        wish = Wanted(key, QRectF(), icon, title, detail, name)
        inset = self._measures.inset
        width = min(place.width() + inset, text_width(self._theme, wish))
        return Wanted(key, QRectF(place.x() - inset, place.y(), width, place.height()), icon, title, detail, name)

    def _copy_code(self, entry: Entry, placed: Placed, copied: tuple[int, str, int, int] | None) -> Wanted:
        key = (entry.node.id, "code", placed.section, placed.index)
        done = key == copied
        text = wording.copied() if done else wording.copy()
        width = self._copy_width[text]
        m = self._measures
        right = placed.frame.right() - m.code_padding + m.inset + 2  # where the text ends, the code may end
        top = placed.frame.y() + (m.code_header - m.button) // 2
        place = QRectF(right - width, top, width, m.button)
        name = wording.copy_code(placed.block.label or placed.block.language)
        return Wanted(key, place, "check" if done else "copy", text, name=name)

    def _actions(
        self, entry: Entry, shown: bool, busy: bool, copied: tuple[int, str, int, int] | None
    ) -> Iterator[Wanted]:
        node = entry.node.id
        side = self._measures.button

        def button(action: str, icon: str, name: str, enabled: bool = True) -> Wanted:
            return Wanted((node, action, 0, 0), QRectF(0, 0, side, side), icon, "", "", name, shown, enabled)

        own = entry.role is Role.USER
        done = (node, "copy", 0, 0) == copied
        yield button("copy", "check" if done else "copy", wording.copied() if done else wording.copy_message(own))
        if own:
            yield button("edit", "edit", wording.edit(), not busy)
        else:
            yield button("regenerate", "regenerate", wording.answer_again(), not busy)
        if not entry.first:  # which stays by itself
            yield self._pin(entry, shown)
        if entry.still_seen and not entry.node.message.pinned:
            # The first message has no pin to press.
            icon = "pin" if entry.first else ""
            label = Wanted((node, "seen", 0, 0), QRectF(), icon, horizon.still_seen(), enabled=False)
            width = text_width(self._theme, label)
            yield Wanted(label.key, QRectF(0, 0, width, side), label.icon, label.text, enabled=False)
        if entry.last and not own and wording.interruption(entry.node):
            key, text = (node, "continue", 0, 0), wording.go_on()
            width = text_width(self._theme, Wanted(key, QRectF(), "chevron-right", text))
            yield Wanted(key, QRectF(0, 0, width, side), "chevron-right", text, shown=shown, enabled=not busy)
        if len(entry.versions) > 1:
            number = entry.versions.index(node) + 1
            count = len(entry.versions)
            yield button("previous", "chevron-left", wording.previous_version(), number > 1 and not busy)
            label = Wanted((node, "version", 0, 0), QRectF(), "", wording.version(number, count), "", "", shown, False)
            yield Wanted(
                label.key, QRectF(0, 0, text_width(self._theme, label), side), "", label.text, shown=shown,
                enabled=False, name=wording.version_name(number, count),
            )  # fmt: skip
            yield button("next", "chevron-right", wording.next_version(), number < count and not busy)

    def _pin(self, entry: Entry, shown: bool) -> Wanted:
        pinned = entry.node.message.pinned
        side = self._measures.button
        return Wanted(
            (entry.node.id, "pin", 0, 0),
            QRectF(0, 0, side, side),
            "pin-filled" if pinned else "pin",
            name=horizon.pin(pinned),
            shown=shown or pinned,
            lit=pinned,
        )
