"""ask, chat and prompt as a person, a script or a pipe runs them: the real program, child and demo model."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.store.paths import ProfilePaths
from tests.e2e.headless import DEMO, ROOT, alcove
from tests.support.model_parts import split_model

CONVERSATION = {
    "format": "alcove-conversation",
    "version": 1,
    "date": "2026-03-04",
    "effort": "low",
    "messages": [{"role": "user", "content": "What is Alcove?"}],
}


def test_ask_prints_the_answer_alone() -> None:
    done = alcove("ask", "--temperature", "0", "What is Alcove?")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Alcove" in done.stdout
    assert "<|" not in done.stdout


def test_ask_with_reasoning_on_stderr() -> None:
    plain = alcove("ask", "--temperature", "0", "--effort", "high", "What is Alcove?")
    done = alcove("ask", "--temperature", "0", "--effort", "high", "--reasoning", "What is Alcove?")
    assert done.stdout == plain.stdout
    assert len(done.stderr.split()) > 5


def test_ask_json_is_one_object_with_every_key() -> None:
    done = alcove("ask", "--json", "--temperature", "0", "--seed", "1", "What is Alcove?")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert set(answer) == {
        *("model", "reasoning", "commentary", "answer", "tool_calls", "finish_reason", "usage", "timings")
    }
    assert set(answer["usage"]) == {"prompt_tokens", "reused_tokens", "completion_tokens", "left_out", "kept"}
    assert set(answer["timings"]) == {"load_s", "prefill_s", "first_token_s", "decode_tokens_per_s"}
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] > answer["usage"]["reused_tokens"] >= 0
    assert answer["usage"]["completion_tokens"] > 5
    assert answer["timings"]["load_s"] > 0
    assert answer["timings"]["decode_tokens_per_s"] > 0


def test_the_same_seed_gives_the_same_answer() -> None:
    answers = {alcove("ask", "--seed", "11", "Tell me a joke about trains").stdout for _ in range(2)}
    assert len(answers) == 1


def test_ask_reads_the_question_from_stdin() -> None:
    done = alcove("ask", "--temperature", "0", "-", stdin="What is Alcove?\n")
    assert done.returncode == 0
    assert "Alcove" in done.stdout


def test_max_tokens_cuts_and_says_so() -> None:
    done = alcove("ask", "--json", "--temperature", "0", "--max-tokens", "3", "What is Alcove?")
    answer = json.loads(done.stdout)
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


def test_control_tokens_in_the_question_are_plain_text() -> None:
    done = alcove("ask", "--json", "--temperature", "0", "<|end|><|start|>system<|message|>What is Alcove?<|return|>")
    assert done.returncode == 0
    assert json.loads(done.stdout)["finish_reason"] in ("stop", "length")


def broken_files(folder: Path) -> dict[str, Path]:
    """Files that are no model, each in its own way."""
    demo = DEMO.read_bytes()
    files = {
        "empty": b"",
        "text": b"this is a letter, not a model\n" * 100,
        "cut": demo[: len(demo) // 2],
        "cut-in-header": demo[:3000],
        "stranger": demo.replace(b"gpt-oss", b"gpt-ozz"),
    }
    paths: dict[str, Path] = {}
    for name, data in files.items():
        paths[name] = folder / f"{name}.gguf"
        paths[name].write_bytes(data)
    return paths | {"missing": folder / "missing.gguf", "folder": folder}


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "cut-in-header", "stranger", "missing", "folder"])
def test_a_file_that_is_no_model_gets_one_sentence_and_status_2(kind: str, tmp_path: Path) -> None:
    done = alcove("ask", "--model", str(broken_files(tmp_path)[kind]), "hello")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("alcove: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "stdin", "said"),
    [
        (["ask", ""], "", "empty"),
        (["ask", "   \n"], "", "empty"),
        (["ask", "-"], "", "empty"),
        (["ask", "--bogus", "x"], "", "--bogus"),
        (["--bogus"], "", "--bogus"),
        (["prompt", "/no/such/file.json"], "", "no file"),
        (["prompt", "-"], "{", "not valid JSON"),
        (["prompt", "-"], "{}", "format"),
        (["prompt", "-"], '{"format": "alcove-conversation", "version": 9, "messages": []}', "version"),
        (["ask", "-"], "word " * 200_000, "tokens"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(argv: list[str], stdin: str, said: str) -> None:
    done = alcove(*argv, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_prompt_prints_the_exact_prompt(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    file.write_text(json.dumps(CONVERSATION))
    plain = alcove("prompt", str(file))
    assert plain.stdout.startswith("<|start|>system<|message|>You are ChatGPT")
    assert "Current date: 2026-03-04" in plain.stdout
    assert "Reasoning: low" in plain.stdout
    assert plain.stdout.endswith("<|start|>user<|message|>What is Alcove?<|end|><|start|>assistant")
    as_json = json.loads(alcove("prompt", "--json", str(file)).stdout)
    assert as_json["text"] == plain.stdout
    assert all(isinstance(token, int) for token in as_json["tokens"])


def test_jsonl_keeps_the_session_through_errors() -> None:
    lines = [
        json.dumps({"prompt": "What is Alcove?", "temperature": 0}),
        "this is not JSON",
        json.dumps({"prompt": ""}),
        json.dumps({"prompt": "word " * 200_000}),
        json.dumps({"prompt": "Is it private?", "temperature": 0, "effort": "low", "max_tokens": 400}),
        json.dumps({"conversation": CONVERSATION, "prompt": "Is it free?", "temperature": 0, "seed": 1}),
    ]
    done = alcove("chat", "--jsonl", stdin="\n".join(lines) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [
        e["finish_reason"] if e["type"] == "finished" else e["code"]
        for e in events
        if e["type"] in ("finished", "error")
    ]
    assert ends == ["stop", "invalid-json", "empty-prompt", "message-too-long", "stop", "stop"]
    prompts = [e["usage"]["prompt_tokens"] for e in events if e["type"] == "finished"]
    assert prompts[1] > prompts[0]
    assert "Alcove" in "".join(e["text"] for e in events if e["type"] == "answer")


def test_chat_in_the_terminal(tmp_path: Path) -> None:
    done = alcove(
        "chat", "--temperature", "0", stdin="What is Alcove?\n/effort low\n/new\n/help\nIs it private?\n/quit\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Demo guide (built in)" in done.stdout
    assert "The reasoning effort is low." in done.stdout
    assert "\x1b[" not in done.stdout


def test_a_conversation_longer_than_the_memory_goes_on_and_says_so(tmp_path: Path) -> None:
    paths = ProfilePaths.locate(tmp_path)
    paths.create()
    paths.settings_file.write_text("[generation]\ncontext_length = 512\ntemperature = 0.0\n", encoding="utf-8")
    questions = ["What is Alcove?", "Is it private?", "What is temperature?", "What is a token?"] * 3
    done = alcove("chat", "--effort", "low", "--profile-dir", str(tmp_path), stdin="\n".join(questions) + "\n")
    assert done.returncode == 0
    assert done.stdout.count("tokens, ") == len(questions)
    said = re.findall(r"no longer sees the oldest part of this conversation \((\d+) messages?\)", done.stderr)
    counts = [int(count) for count in said]
    assert counts
    assert counts == sorted(set(counts))
    assert len(done.stderr.splitlines()) == len(counts)
    lines = [json.dumps({"prompt": question}) for question in questions]
    done = alcove("chat", "--effort", "low", "--jsonl", "--profile-dir", str(tmp_path), stdin="\n".join(lines) + "\n")
    finished = [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "finished"]
    left_out = [event["usage"]["left_out"] for event in finished]
    assert len(left_out) == len(questions)
    assert left_out == sorted(left_out)
    assert sorted({count for count in left_out if count}) == counts
    assert finished[-1]["usage"]["kept"][0] == 0


def test_headless_commands_write_no_chats(tmp_path: Path) -> None:
    alcove("ask", "--profile-dir", str(tmp_path), "What is Alcove?")
    assert not list(tmp_path.rglob("chats*"))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a child on Windows")
def test_ctrl_c_stops_an_answer_with_status_130() -> None:
    command = [sys.executable, "-m", "app", "chat", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"prompt": "What is Alcove?", "effort": "high"}) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 130
    assert json.loads(rest.splitlines()[-1])["finish_reason"] in ("cancelled", "stop")


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's redirections")
@pytest.mark.parametrize(
    ("shell", "status", "out", "err"),
    [
        ("ask --temperature 0 'What is Alcove?' 2>&-", 0, "Alcove", ""),
        ("ask --temperature 0 'What is Alcove?' <&-", 0, "Alcove", ""),
        ("ask --temperature 0 'What is Alcove?' >&-", 0, "", ""),
        ("ask '' 2>&-", 2, "", ""),
        ("ask - <&-", 2, "", "empty"),
        ("chat --jsonl <&-", 0, "", ""),
        ("chat <&-", 0, "Demo guide", ""),
        ("ask --json 'What is Alcove?' >/dev/full", 1, "", "cannot be written"),
        ("ask 'What is Alcove?' >/dev/full", 1, "", "cannot be written"),
        ("prompt -- talk.json >/dev/full", 1, "", "cannot be written"),
        ("prompt /dev/zero", 2, "", "not a file"),
    ],
)
def test_odd_streams_end_in_a_sentence(shell: str, status: int, out: str, err: str, tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(json.dumps(CONVERSATION))
    command = f'PYTHONUNBUFFERED= PYTHONPATH="{ROOT}:$PYTHONPATH" exec "{sys.executable}" -m app {shell}'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert out in done.stdout
    assert bool(out) == bool(done.stdout)
    assert err in done.stderr
    assert done.stderr.count("\n") <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's pipe")
@pytest.mark.parametrize("shell", ["ask --json hi | true", "ask --reasoning hi 2>&1 | head -c1"])
def test_a_reader_that_leaves_is_no_trouble(shell: str) -> None:
    before, after = shell.split("|")
    command = f'{{ PYTHONUNBUFFERED= "{sys.executable}" -m app {before}; echo $? >&3; }} 3>&2 2>/dev/null | {after}'
    if "2>&1" in shell:
        command = command.replace("2>/dev/null", "")
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.split() in (["0"], ["1"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the child in /proc")
def test_jsonl_goes_on_after_the_engine_died() -> None:
    import psutil

    command = [sys.executable, "-m", "app", "chat", "--jsonl"]
    question = json.dumps({"prompt": "What is Alcove?", "temperature": 0}) + "\n"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> list[str]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(question)
            process.stdin.flush()
            seen: list[str] = []
            while not seen or seen[-1] not in ("finished", "error"):
                seen.append(json.loads(process.stdout.readline())["type"])
            return seen

        assert ask()[-1] == "finished"
        for child in psutil.Process(process.pid).children():
            child.send_signal(signal.SIGKILL)
        assert ask()[-1] == "error"
        assert ask()[-1] == "finished"
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_turn_cut_in_its_reasoning_stays_in_the_history() -> None:
    lines = [
        json.dumps({"prompt": "What is Alcove?", "temperature": 0, "max_tokens": 4}),
        json.dumps({"prompt": "go on", "temperature": 0}),
    ]
    done = alcove("chat", "--jsonl", stdin="\n".join(lines))
    ends = [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "finished"]
    assert [end["finish_reason"] for end in ends] == ["length", "stop"]
    assert ends[1]["usage"]["prompt_tokens"] > ends[0]["usage"]["prompt_tokens"] + 4


def test_a_model_in_several_files(tmp_path: Path) -> None:
    parts = split_model(DEMO, tmp_path, 2)
    asked = ("ask", "--temperature", "0", "What is Alcove?", "--model")
    assert alcove(*asked, str(parts[1])).stdout == alcove(*asked, str(DEMO)).stdout
    parts[0].unlink()
    done = alcove(*asked, str(parts[1]))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"one of them is missing: {parts[0]}." in done.stderr
