"""Models that are not gpt-oss, from the command line: the real program, child, template process and llama.cpp."""

import json
from pathlib import Path

import numpy as np

from tests.e2e.headless import alcove
from tests.support.tiny_model import TinyModel, chain, write_adapter

MODEL = TinyModel(("Hello", " world", " moon", "Hm"), name="Reciter")
SCRIPT = chain("\n", "<think>", "Hm", "</think>", "Hello", " world")


def test_ask_a_model_with_a_template_of_its_own(tmp_path: Path) -> None:
    path = MODEL.reciting(tmp_path / "tiny.gguf", SCRIPT)
    done = alcove("ask", "--model", str(path), "--json", "--temperature", "0", "hi <|stop|>")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["reasoning"], answer["answer"], answer["finish_reason"]) == ("Hm", "Hello world", "stop")


def test_ask_with_an_adapter(tmp_path: Path) -> None:
    path = MODEL.reciting(tmp_path / "tiny.gguf", SCRIPT)
    a, b = np.zeros((1, (len(MODEL.tokens) + 31) // 32 * 32)), np.zeros((len(MODEL.tokens), 1))
    a[0, MODEL.id_of("Hello")] = b[MODEL.id_of(" moon"), 0] = 1
    adapter = write_adapter(tmp_path / "moon.gguf", {"output.weight": (a, b)}, "llama", alpha=1.0)
    done = alcove("ask", "--model", str(path), "--lora", f"{adapter}:3", "--temperature", "0", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello moon\n", "")


def test_the_prompt_of_a_conversation(tmp_path: Path) -> None:
    path = MODEL.random(tmp_path / "tiny.gguf")
    talk = tmp_path / "talk.json"
    head = {"format": "alcove-conversation", "version": 1, "date": "2026-03-04", "effort": "low"}
    talk.write_text(json.dumps({**head, "messages": [{"role": "user", "content": "hi"}]}), encoding="utf-8")
    done = alcove("prompt", "--model", str(path), str(talk))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "<|start|>user\nhi<|stop|>\n<|start|>assistant"


def test_templates_that_cannot_be_used_are_bad_input(tmp_path: Path) -> None:
    for template, said in ((None, "has no chat template"), ("{{ raise_exception('no') }}", "cannot be used")):
        path = TinyModel(template=template, name="Base").random(tmp_path / "tiny.gguf")
        done = alcove("ask", "--model", str(path), "hi")
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
