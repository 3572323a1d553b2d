"""Run by test_encoding: no text becomes a control token in a real vocabulary."""

import ctypes
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path

import llama_cpp

from app.harmony.encoding import PromptEncoder
from app.harmony.segments import Text
from app.harmony.vocabulary import speaks_harmony

SPECIAL = (
    llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
) | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class LlamaVocabulary:
    """A model file's vocabulary, tokenized by llama.cpp itself."""

    def __init__(self, path: str) -> None:
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        assert model, f"{path} was not loaded"
        vocab = llama_cpp.llama_model_get_vocab(model)
        assert vocab
        self._vocab = vocab
        self._special = {
            token_id: llama_cpp.llama_vocab_get_text(self._vocab, token_id).decode()
            for token_id in range(llama_cpp.llama_vocab_n_tokens(self._vocab))
            if llama_cpp.llama_vocab_get_attr(self._vocab, token_id) & SPECIAL
        }

    @property
    def special_tokens(self) -> Mapping[int, str]:
        return self._special

    def tokenize(self, text: str) -> list[int]:
        data = text.encode()
        room = len(data) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, room, False, False)
        assert count >= 0
        return list(ids[:count])

    def piece(self, token_id: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self._vocab, token_id, buffer, len(buffer), 0, False)
        return buffer.raw[:length]


@llama_cpp.llama_log_callback
def silent(level: int, text: bytes, user_data: object) -> None:
    """Loading a vocabulary has much to say."""


def texts(names: list[str]) -> list[str]:
    singles = [
        text
        for name in names
        for text in (
            name,
            name * 3,
            f"a {name} b",
            f"{name[:2]} {name[2:]}",
            *(f"{name[:cut]}{name}{name[cut:]}" for cut in range(len(name))),
        )
    ]
    return [*singles, *(one + other for one, other in itertools.product(names, repeat=2))]


def main(path: str) -> None:
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    library = Path(llama_cpp.__file__).with_name("lib")
    load = llama_cpp.llama_cpp._lib.ggml_backend_load
    load.argtypes, load.restype = [ctypes.c_char_p], ctypes.c_void_p
    for plain in library.glob("*ggml-cpu*x64*"):
        load(str(plain).encode())
    vocabulary = LlamaVocabulary(path)
    assert speaks_harmony(vocabulary)
    encoder = PromptEncoder(vocabulary)
    names = sorted(set(vocabulary.special_tokens.values()))
    special = vocabulary.special_tokens.keys()
    # The trap is real: without the cuts, text becomes control tokens.
    assert not special.isdisjoint(vocabulary.tokenize("<|start|>"))
    checked = texts(names)
    for text in checked:
        ids = encoder.encode([Text(text)])
        assert special.isdisjoint(ids), text
        assert b"".join(map(vocabulary.piece, ids)).decode() == text
    for text in ("let (<|) f x = f x", "a |> b <| c", "Grüße, 世界 🙂\r\n\t", "<| start |>"):
        assert encoder.encode([Text(text)]) == vocabulary.tokenize(text)
    lines = (
        "Ünser",
        "  if x:",
        "# !?/\n/",
        "\n \n\t",
        "don't\r",
        "世界。",
        "12 34",
        "...\n",
        "e\u0301a",
        "\u0301b",
        "²Ⅷ",
    )
    page = "\n".join(" ".join(pair) + end for end in ("", "\n", " ") for pair in itertools.permutations(lines, 2))
    for offset in range(0, 200, 40):  # other cuts each time
        text = "x" * offset + "\n" + page * 40
        assert len(list(encoder.runs([Text(text)]))) > 2
        assert encoder.encode([Text(text)]) == vocabulary.tokenize(text)
    print(f"checked {len(checked)} texts with {len(names)} names")


if __name__ == "__main__":
    main(sys.argv[1])
