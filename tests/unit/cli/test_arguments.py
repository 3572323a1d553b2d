"""The command line says in one sentence what it does not take."""

from pathlib import Path

import pytest

from app.cli.arguments import parser
from app.domain.conversation import Effort
from app.domain.errors import ErrorCode, UserError
from app.engine.protocol import Adapter


def test_nothing_means_the_window() -> None:
    options = parser().parse_args([])
    assert options.command is None
    assert not options.smoke_test


@pytest.mark.parametrize("before", [True, False])
def test_model_and_profile_go_before_or_after_the_command(before: bool) -> None:
    shared = ["--model", "a.gguf", "--profile-dir", "p"]
    argv = [*shared, "ask", "hello"] if before else ["ask", *shared, "hello"]
    options = parser().parse_args(argv)
    assert (options.model, options.profile_dir, options.prompt) == (Path("a.gguf"), Path("p"), "hello")


def test_every_generation_option() -> None:
    argv = ["ask", "--effort", "high", "--instructions", "short", "--temperature", "0", "--seed", "7"]
    argv += ["--max-tokens", "12", "--json", "--reasoning", "-"]
    options = parser().parse_args(argv)
    assert options.effort is Effort.HIGH
    assert (options.instructions, options.temperature, options.seed, options.max_tokens) == ("short", 0.0, 7, 12)
    assert options.json
    assert options.reasoning
    assert options.prompt == "-"


def test_adapters_with_and_without_a_strength() -> None:
    names = ("a.gguf", "b.gguf:0.5", "C:\\models\\c.gguf", "7", "dir:1/d.gguf:-2")
    options = parser().parse_args(["ask", *(part for name in names for part in ("--lora", name)), "hello"])
    assert options.lora == [
        Adapter("a.gguf"),
        Adapter("b.gguf", 0.5),
        Adapter("C:\\models\\c.gguf"),
        Adapter("7"),
        Adapter("dir:1/d.gguf", -2.0),
    ]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--frobnicate"], "--frobnicate"),
        (["ask"], "PROMPT"),
        (["ask", "--nonsense", "hello"], "--nonsense"),
        (["ask", "--effort", "extreme", "hello"], "low, medium or high"),
        (["ask", "--temperature", "hot", "hello"], "from 0 to 2"),
        (["ask", "--temperature", "nan", "hello"], "from 0 to 2"),
        (["ask", "--temperature", "2.1", "hello"], "from 0 to 2"),
        (["ask", "--seed", "-1", "hello"], "whole number"),
        (["ask", "--seed", "4294967295", "hello"], "whole number"),
        (["ask", "--lora", "a.gguf:nan", "hello"], "a file and a number"),
        (["ask", "--lora", ":1", "hello"], "a file and a number"),
        (["ask", "--max-tokens", "0", "hello"], "whole number"),
        (["ask", "--max-tokens", "1.5", "hello"], "whole number"),
        (["ask", "--temp", "1", "hello"], "--temp"),
        (["prompt"], "CONVERSATION.json"),
        (["sing"], "sing"),
    ],
)
def test_what_is_not_taken_is_named_in_one_sentence(argv: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        parser().parse_args(argv)
    assert caught.value.code is ErrorCode.INVALID_OPTION
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["ask", "--help"]])
def test_help_and_version_end_well(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(argv)
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip()
