"""The Vulkan plug-in on Mesa's software driver: enumeration, layers on the card, an answer, and a real driver's crash.

Needs llama.cpp's Vulkan plug-in beside its other libraries (`scripts/build_llama.py --backend vulkan`, or a folder with
all of them named by LLAMA_CPP_LIB_PATH) and lavapipe (Debian's mesa-vulkan-drivers).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.generation import FinishReason, Sampling
from app.domain.hardware import DeviceKind
from app.domain.load_plan import LoadPlan
from app.engine.protocol import AnswerText, Finished, Generate, Hello, Load, Loaded, ReasoningText
from app.engine.variants import library_folder
from tests.support.engine import DEMO, QUESTION, Engine, dialogue

DRIVERS = sorted(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json"))
LIBRARIES = library_folder()
PLUG_IN = LIBRARIES / "libggml-vulkan.so" if LIBRARIES is not None else Path("libggml-vulkan.so")

pytestmark = [
    pytest.mark.skipif(not PLUG_IN.is_file(), reason="llama.cpp is built without Vulkan"),
    pytest.mark.skipif(not DRIVERS, reason="Mesa's software driver for Vulkan is not installed"),
    pytest.mark.timeout(900),  # it compiles its programs for graphics cards with LLVM, each at its first use
]
SHADERS_S = 600.0


@pytest.fixture(autouse=True)
def software_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lavapipe alone; llama.cpp passes over processors that pose as cards unless they are named."""
    monkeypatch.setenv("VK_DRIVER_FILES", str(DRIVERS[0]))
    monkeypatch.setenv("VK_ICD_FILENAMES", str(DRIVERS[0]))  # what older loaders call it
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", "0")


def test_the_device_is_found() -> None:
    with Engine().start() as engine:
        hello = engine.expect(Hello)
        assert "vulkan" in hello.backends
        (card,) = hello.hardware.graphics
        assert (card.name, card.backend, card.kind) == ("Vulkan0", "Vulkan", DeviceKind.GRAPHICS)
        assert "llvmpipe" in card.description
        assert 0 < card.free_bytes <= card.total_bytes


def test_it_is_not_looked_for_without_graphics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GGML_VK_VISIBLE_DEVICES")
    with Engine().start() as engine:
        hello = engine.expect(Hello)
        assert "vulkan" not in hello.backends  # a plug-in that brings no device
        assert hello.hardware.graphics == ()


def test_a_model_answers_from_the_card() -> None:
    question = dialogue(QUESTION)
    sampling = Sampling(temperature=0, max_tokens=8)
    answers: list[str] = []
    for layers, beside in ((0, False), (3, True), (99, False)):
        with Engine().start() as engine:
            # Flash attention ends lavapipe 22.3.
            plan = LoadPlan(context=512, gpu_layers=layers, output_beside=beside, flash_attention=False)
            engine.client.send(Load(engine.new_id(), str(DEMO), plan))
            engine.expect(Loaded, timeout=SHADERS_S)
            engine.client.send(Generate(engine.new_id(), question, sampling))
            finished = engine.expect(Finished, timeout=SHADERS_S)
            assert finished.reason in (FinishReason.LENGTH, FinishReason.STOP)
            texts = [report.text for report in engine.reports if isinstance(report, ReasoningText | AnswerText)]
            answers.append("".join(texts))
    assert answers[0] == answers[1] == answers[2] != ""
