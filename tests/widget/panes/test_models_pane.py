"""The models pane on a real library with real model files."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.services.model_service import ModelService
from app.ui.models.card import ModelCard
from app.ui.models.get_panel import ADDRESS
from app.ui.models.pane import ModelsPane
from app.ui.shell.dialogs import Question
from app.ui.theme import Theme

LEFT = Qt.MouseButton.LeftButton
DEMO = "Demo guide (built in)"


@pytest.fixture
def pane(qtbot: QtBot, theme: Theme, models: ModelService) -> ModelsPane:
    """The pane, with the demo guide alone."""
    pane = ModelsPane(models, theme)
    qtbot.addWidget(pane)
    pane.resize(900, 700)
    pane.show()
    return pane


def badges(card: ModelCard) -> list[str]:
    """The badges that are shown with the card."""
    return [label.text() for label in card.findChildren(QLabel, "badge") if not label.isHidden()]


def add(qtbot: QtBot, models: ModelService, path: Path) -> None:
    """Add a model and wait until it is chosen."""
    with qtbot.waitSignal(models.current_changed):
        models.add_file(path)


def test_the_guide_is_there_in_use_and_cannot_be_forgotten(pane: ModelsPane) -> None:
    (card,) = pane.cards
    assert card.model.name == DEMO
    assert badges(card) == ["In use", "Built in"]
    assert not card.use_button.isVisible()
    assert not card.forget_button.isVisible()


def test_an_added_model_is_in_use_and_another_can_be_used(
    qtbot: QtBot, pane: ModelsPane, models: ModelService, another_model: Path
) -> None:
    add(qtbot, models, another_model)
    guide, added = pane.cards
    assert badges(added) == ["In use"]
    assert badges(guide) == ["Built in"]
    assert any(str(another_model) in label.text() for label in added.findChildren(QLabel))
    with qtbot.waitSignal(models.current_changed):
        qtbot.mouseClick(guide.use_button, LEFT)
    assert models.current().builtin
    assert badges(guide) == ["In use", "Built in"]
    assert badges(added) == []
    assert guide.use_button.isHidden()
    assert not added.use_button.isHidden()


def test_forgetting_asks_first_and_leaves_the_file(
    qtbot: QtBot, pane: ModelsPane, models: ModelService, another_model: Path
) -> None:
    add(qtbot, models, another_model)
    qtbot.mouseClick(pane.cards[1].forget_button, LEFT)
    question = pane.findChild(Question)
    assert question is not None
    assert "file stays" in " ".join(label.text() for label in question.findChildren(QLabel))
    qtbot.mouseClick(question.no_button, LEFT)
    assert len(models.models()) == 2
    qtbot.waitUntil(lambda: pane.findChild(Question) is None)
    qtbot.mouseClick(pane.cards[1].forget_button, LEFT)
    question = pane.findChild(Question)
    assert question is not None
    with qtbot.waitSignal(models.models_changed):
        qtbot.mouseClick(question.yes_button, LEFT)
    assert [card.model.name for card in pane.cards] == [DEMO]
    assert another_model.exists()


@pytest.mark.parametrize(
    ("state", "badge", "usable"),
    [
        ({"missing": True}, "File is missing", False),
        ({"broken": True}, "Damaged file", False),
        ({"speaks_harmony": False, "has_chat_template": False}, "Not made for chatting", True),
    ],
)
def test_what_is_wrong_with_a_model_is_on_its_card(
    qtbot: QtBot, theme: Theme, models: ModelService, state: dict[str, bool], badge: str, usable: bool
) -> None:
    model = replace(models.current(), builtin=False, **state)
    card = ModelCard(model, current=False, theme=theme)
    qtbot.addWidget(card)
    card.show()
    assert badges(card) == [badge]
    assert card.use_button.isEnabled() == usable
    assert not card.forget_button.isHidden()


def test_a_model_that_chats_through_its_own_template_is_as_good_as_any(
    qtbot: QtBot, theme: Theme, models: ModelService
) -> None:
    model = replace(models.current(), builtin=False, speaks_harmony=False, has_chat_template=True)
    card = ModelCard(model, current=False, theme=theme)
    qtbot.addWidget(card)
    card.show()
    assert badges(card) == []
    assert card.use_button.isEnabled()


def test_the_address_can_be_copied(qtbot: QtBot, pane: ModelsPane) -> None:
    panel = pane.get_panel
    qtbot.mouseClick(panel.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == ADDRESS
    assert panel.copy_button.text() == "Copied"
    qtbot.waitUntil(lambda: panel.copy_button.text() == "Copy")


def test_what_leaves_the_pane_is_asked_for(qtbot: QtBot, pane: ModelsPane) -> None:
    with qtbot.waitSignal(pane.link_activated) as link:
        qtbot.mouseClick(pane.get_panel.open_button, LEFT)
    assert link.args == [ADDRESS]
    for button in (pane.add_button, pane.get_panel.add_button):
        with qtbot.waitSignal(pane.add_file_requested):
            qtbot.mouseClick(button, LEFT)
