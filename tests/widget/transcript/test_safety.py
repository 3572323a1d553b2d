"""Nothing in a message loads, runs or opens anything; nothing of the view is left behind."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication, QEvent, QUrl
from PySide6.QtGui import QAccessible, QImage, QTextDocument
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.ui.theme import Theme
from app.ui.transcript.document import SafeDocument
from app.ui.transcript.view import TranscriptView
from tests.unit.markdown.test_hostile import HOSTILE
from tests.widget.transcript.conftest import Reader, answer, user

WATCHED: list[list[tuple[str, object]]] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    if WATCHED and (event == "open" or event.startswith(("socket.", "subprocess.", "os.exec", "os.spawn"))):
        WATCHED[-1].append((event, args[0] if args else None))


sys.addaudithook(_hook)  # cannot be removed; it does nothing while nobody watches


@contextmanager
def watched() -> Iterator[list[tuple[str, object]]]:
    """What Python opens in the meantime. (What Qt would open by itself is asked of it through the document.)"""
    seen: list[tuple[str, object]] = []
    WATCHED.append(seen)
    try:
        yield seen
    finally:
        WATCHED.remove(seen)


def hostile_markdown(picture: Path) -> str:
    address = picture.as_uri()
    return "\n\n".join(
        [
            f"<img src='{address}'>",
            f"![x]({address}) ![y](https://example.invalid/y.png) ![z](qrc:/z.png)",
            f"<link rel=stylesheet href='{address}'><style>@import '{address}';</style>",
            f"[click]({address}) [run](javascript:alert(1)) [d](data:text/html,x) <{address}>",
            "<script>x</script><iframe src='file:///etc/passwd'></iframe>",
            f"| ![x]({address}) | <img src='{address}'> |\n|---|---|\n| a | ![b]({address}) |",
            f"```html\n<img src='{address}'>\n```",
            f"[r]\n\n[r]: {address}",
        ]
    )


def test_nothing_is_loaded(view: TranscriptView, reader: Reader, tmp_path: Path) -> None:
    picture = tmp_path / "tracker.png"
    loud = QImage(40, 40, QImage.Format.Format_RGB32)
    loud.fill(0xFF00FF)
    assert loud.save(str(picture))
    view.show_path((answer(1, "warm *up*\n\n```html\n<b>\n```\n\n|a|\n|-|\n|b|"),))  # loads lexers and icons
    view.viewport().grab()
    with watched() as seen:
        view.show_path((user(2, hostile_markdown(picture)), answer(3, hostile_markdown(picture), 2)))
        view.resize(900, 2400)
        shown = view.viewport().grab().toImage()
    assert seen == []
    colours = {shown.pixelColor(x, y).name() for x in range(0, shown.width(), 3) for y in range(0, shown.height(), 3)}
    assert "#ff00ff" not in colours
    assert any("<script>" in text for text in reader.texts())


def test_no_link_but_web_and_mail_exists(view: TranscriptView, tmp_path: Path) -> None:
    view.resize(900, 2400)
    view.show_path((answer(1, hostile_markdown(tmp_path / "x.png")),))
    links = {span.href for placed in view.column.laid(0).placed for span in placed.block.spans if span.href}
    assert links == {"https://example.invalid/y.png"}


@pytest.mark.parametrize("kind", list(QTextDocument.ResourceType))
def test_a_document_answers_every_request_itself(
    qapp: object, tmp_path: Path, kind: QTextDocument.ResourceType
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    document = SafeDocument()
    given_back = document.resource(kind.value, QUrl.fromLocalFile(str(secret)))
    assert b"secret" not in bytes(given_back) if not isinstance(given_back, QImage) else given_back.width() == 1


def test_html_in_a_document_reads_no_file(qapp: object, tmp_path: Path) -> None:
    picture = tmp_path / "tracker.png"
    loud = QImage(40, 40, QImage.Format.Format_RGB32)
    loud.fill(0xFF00FF)
    assert loud.save(str(picture))
    document = SafeDocument()
    document.setHtml(f"<img src='{picture}'><img src='{picture.as_uri()}'>")
    assert document.size().width() < 40


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_shown_and_scrolled(view: TranscriptView, name: str) -> None:
    view.show_path((user(1, HOSTILE[name][:30_000]), answer(2, HOSTILE[name][:30_000], 1)))
    view.viewport().grab()
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    view.viewport().grab()
    view.verticalScrollBar().setValue(0)
    view.viewport().grab()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300))
def test_any_text_is_shown(view: TranscriptView, text: str) -> None:
    view.show_path((user(1, text), answer(2, text, 1, reasoning=text, commentary=text)))
    view.select_all()
    view.viewport().grab()


def test_a_view_is_gone_when_it_is_deleted(qtbot: QtBot) -> None:
    view = TranscriptView(Theme.for_palette(False))
    view.resize(600, 400)
    view.show()
    view.show_path(tuple(answer(n, "text\n\n```py\nx\n```") for n in range(1, 20)))
    QAccessible.queryAccessibleInterface(view).childCount()
    view.viewport().grab()
    entry = weakref.ref(view.column.entries[0])
    column = weakref.ref(view.column)
    view.close()
    view.deleteLater()
    del view
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    assert column() is None
    assert entry() is None


def test_buttons_are_reused(view: TranscriptView) -> None:
    view.show_path(tuple(answer(n, f"message {n}\n\n```py\nx\n```") for n in range(1, 400)))
    for value in range(view.verticalScrollBar().maximum(), 0, -400):
        view.verticalScrollBar().setValue(value)
    assert len(view.viewport().findChildren(QWidget)) < 80


def test_20000_calls_of_a_void_method_survive(qapp: object) -> None:
    """PySide6 6.12.0 on Python 3.11 gives back one None too many each time and aborts; this version must not."""
    widget = QWidget()
    before = sys.getrefcount(None)
    for _ in range(20_000):
        widget.setToolTip("x")
    assert sys.getrefcount(None) > before - 10_000
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
