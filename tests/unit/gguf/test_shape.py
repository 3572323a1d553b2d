"""What a model is, told from its header."""

from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.gguf.header import read_header
from app.gguf.shape import HARMONY_TOKENS, ModelShape, read_shape, shape_of
from app.harmony.vocabulary import ControlToken
from app.resources import DEMO_MODEL
from tests.support.gguf_builder import BOOL, F32, GGUF, HARMONY, I32, STRING, U32, array, entry


def shape(gguf: GGUF) -> ModelShape:
    data = gguf.build()
    return shape_of(read_header(lambda offset, length: data[offset : offset + length], len(data), "x"), "x")


def test_a_whole_model() -> None:
    gguf = GGUF(
        [
            entry("general.architecture", STRING, "gpt-oss"),
            entry("general.name", STRING, "Gpt Oss 20B"),
            entry("gpt-oss.context_length", U32, 131_072),
            entry("gpt-oss.block_count", U32, 24),
            entry("tokenizer.chat_template", STRING, "{{ messages }}"),
            array("tokenizer.ggml.tokens", STRING, ["a", "b", *HARMONY]),
        ],
        [("experts", (64, 64), 39, 0), ("norm", (64,), 0, 2176)],
        bytes(2176 + 256),
    )
    assert shape(gguf) == ModelShape(
        name="Gpt Oss 20B",
        architecture="gpt-oss",
        parameters=64 * 64 + 64,
        quantization="MXFP4",
        trained_context=131_072,
        layers=24,
        vocabulary=9,
        size_bytes=len(gguf.build()),
        has_chat_template=True,
        speaks_harmony=True,
    )


def test_texts_of_a_hostile_file_are_safe_to_show() -> None:
    gguf = GGUF(
        [
            entry("general.architecture", STRING, "gpt\x1bc"),
            entry("general.name", STRING, "\x1b]0;owned\x07 Model"),
            entry("gpt\x1bc.context_length", U32, 4096),
        ]
    )
    found = shape(gguf)
    assert (found.name, found.architecture) == ("\ufffd]0;owned\ufffd Model", "gpt\ufffdc")
    assert found.trained_context == 4096


def test_what_the_file_does_not_say() -> None:
    found = shape(GGUF())
    assert (found.name, found.trained_context, found.layers, found.vocabulary) == ("", 0, 0, 0)
    assert not found.has_chat_template
    assert not found.speaks_harmony


@pytest.mark.parametrize(
    "length",
    [
        entry("gpt-oss.context_length", kind, value)
        for kind, value in [(STRING, "131072"), (F32, 4096.0), (BOOL, True), (I32, -1)]
    ],
)
def test_a_length_of_the_wrong_kind_is_not_believed(length: bytes) -> None:
    assert shape(GGUF([entry("general.architecture", STRING, "gpt-oss"), length])).trained_context == 0


@pytest.mark.parametrize("missing", HARMONY)
def test_one_control_token_missing_is_not_harmony(missing: str) -> None:
    tokens = [token for token in HARMONY if token != missing]
    entries = [entry("general.architecture", STRING, "gpt-oss"), array("tokenizer.ggml.tokens", STRING, tokens)]
    assert not shape(GGUF(entries)).speaks_harmony


def test_the_tokens_are_those_that_harmony_needs() -> None:
    assert {token.value for token in ControlToken} - {"<|endoftext|>"} == HARMONY_TOKENS


@pytest.mark.parametrize(
    "gguf",
    [GGUF([]), GGUF([entry("general.architecture", U32, 1)]), GGUF(tensors=[], data=b"")],
    ids=["none", "number", "no weights"],
)
def test_without_an_architecture_or_weights_it_is_no_model(gguf: GGUF) -> None:
    with pytest.raises(UserError) as caught:
        shape(gguf)
    assert caught.value.code is ErrorCode.GGUF_BROKEN


def test_the_demo_model() -> None:
    found = read_shape(DEMO_MODEL)
    assert found.architecture == "gpt-oss"
    assert found.speaks_harmony
    assert found.has_chat_template
    assert found.size_bytes == DEMO_MODEL.stat().st_size
    assert 400_000 < found.parameters < 10_000_000
    assert 2000 <= found.vocabulary <= 4096
    assert "20b" not in found.name.lower()


def test_a_cut_copy_of_the_demo_model_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(DEMO_MODEL.read_bytes()[:-1])
    with pytest.raises(UserError) as caught:
        read_shape(path)
    assert caught.value.code is ErrorCode.GGUF_TRUNCATED
