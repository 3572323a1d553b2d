"""Small models that are not gpt-oss, made when a test wants one and run by the real llama.cpp.

A *reciting* model has been taught by construction: each token is followed by the one that its script says. Any other
has random weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

CONTROLS = ("<|begin|>", "<|start|>", "<|stop|>", "<|pad|>", "[THINK]", "[/THINK]")
USER_DEFINED = ("<think>", "</think>", "<tool>")
BEGIN, START, STOP = 0, 1, 2

CHATML = (
    "{% for message in messages %}<|start|>{{ message.role }}\n{{ message.content }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
"""A template in the commonest style, with the control tokens of these models."""


def byte_letters() -> list[str]:
    """The characters that GPT-2's vocabulary writes the 256 bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def written(word: str) -> str:
    """A word as GPT-2's vocabulary writes it."""
    letters = byte_letters()
    return "".join(letters[byte] for byte in word.encode())


class TinyModel:
    """A model in the making: llama's architecture, a vocabulary of bytes, ``words`` and special tokens."""

    def __init__(
        self,
        words: Sequence[str] = (),
        *,
        template: str | None = CHATML,
        sentencepiece: bool = False,
        add_bos: bool = False,
        name: str = "tiny",
    ) -> None:
        self.words = tuple(words)
        self._template = template
        self._sentencepiece = sentencepiece
        self._add_bos = add_bos
        self._name = name
        types = gguf.TokenType
        entries: list[tuple[str, gguf.TokenType, float]] = [(c, types.CONTROL, 0.0) for c in CONTROLS]
        entries += [(u, types.USER_DEFINED, 0.0) for u in USER_DEFINED]
        if sentencepiece:
            entries += [("<unk>", types.UNKNOWN, 0.0)]
            entries += [(f"<0x{byte:02X}>", types.BYTE, 0.0) for byte in range(256)]
            entries += [(chr(letter), types.NORMAL, -50.0) for letter in range(33, 127)]
            entries += [("▁", types.NORMAL, -40.0)]
            entries += [(word.replace(" ", "▁"), types.NORMAL, -1.0 - i) for i, word in enumerate(self.words)]
        else:
            entries += [(letter, types.NORMAL, 0.0) for letter in byte_letters()]
            entries += [(written(word), types.NORMAL, 0.0) for word in self.words]
        self.tokens = [text for text, _, _ in entries]
        self._types = [kind for _, kind, _ in entries]
        self._scores = [score for _, _, score in entries]

    def id_of(self, text: str) -> int:
        """The token of a control token's name or of one of ``words``."""
        if text in (*CONTROLS, *USER_DEFINED):
            return self.tokens.index(text)
        return self.tokens.index(text.replace(" ", "▁") if self._sentencepiece else written(text))

    def reciting(self, path: Path, script: Mapping[str, str]) -> Path:
        """Write it so that each token of ``script`` is followed by its value; what follows another is the end."""
        follows = {self.id_of(a): self.id_of(b) for a, b in script.items()}
        size = (len(self.tokens) + 31) // 32 * 32  # as wide as the vocabulary: a token is a direction of its own
        embedding = np.zeros((len(self.tokens), size), np.float32)
        output = np.zeros((len(self.tokens), size), np.float32)
        for token in range(len(self.tokens)):
            embedding[token, token] = 1
            output[follows.get(token, STOP), token] = 1
        return self._write(path, size, embedding, output, layer_scale=0.0)

    def random(self, path: Path, seed: int = 1) -> Path:
        """Write it with random weights."""
        size = 64
        random = np.random.default_rng(seed)
        embedding, output = (random.normal(0, 1, (len(self.tokens), size)).astype(np.float32) for _ in range(2))
        return self._write(path, size, embedding, output, layer_scale=0.2, seed=seed)

    def _write(
        self, path: Path, size: int, embedding: np.ndarray, output: np.ndarray, *, layer_scale: float, seed: int = 0
    ) -> Path:
        writer = self.begin(path, "llama", size)
        writer.add_block_count(2)
        writer.add_feed_forward_length(64)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
        writer.add_rope_dimension_count(size // 4)
        writer.add_layer_norm_rms_eps(1e-5)
        random = np.random.default_rng(seed)

        def layer(rows: int, columns: int) -> np.ndarray:
            return (random.normal(0, 1, (rows, columns)) * layer_scale).astype(np.float32)

        writer.add_tensor("token_embd.weight", embedding)
        writer.add_tensor("output.weight", output)
        writer.add_tensor("output_norm.weight", np.ones(size, np.float32))
        for block in (f"blk.{index}" for index in range(2)):
            writer.add_tensor(f"{block}.attn_norm.weight", np.ones(size, np.float32))
            writer.add_tensor(f"{block}.ffn_norm.weight", np.ones(size, np.float32))
            writer.add_tensor(f"{block}.attn_q.weight", layer(size, size))
            writer.add_tensor(f"{block}.attn_k.weight", layer(size // 2, size))
            writer.add_tensor(f"{block}.attn_v.weight", layer(size // 2, size))
            writer.add_tensor(f"{block}.attn_output.weight", layer(size, size))
            writer.add_tensor(f"{block}.ffn_gate.weight", layer(64, size))
            writer.add_tensor(f"{block}.ffn_up.weight", layer(64, size))
            writer.add_tensor(f"{block}.ffn_down.weight", layer(size, 64))
        return self.end(path, writer)

    def begin(self, path: Path, architecture: str, size: int = 64) -> gguf.GGUFWriter:
        """A file with the vocabulary, for a model of another architecture that is ``size`` wide."""
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_name(self._name)
        writer.add_context_length(4096)
        writer.add_embedding_length(size)
        writer.add_vocab_size(len(self.tokens))
        writer.add_tokenizer_model("llama" if self._sentencepiece else "gpt2")
        if not self._sentencepiece:
            writer.add_tokenizer_pre("gpt-2")
            writer.add_token_merges(["h e"])
        else:
            writer.add_token_scores(self._scores)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self._types)
        writer.add_bos_token_id(BEGIN)
        writer.add_eos_token_id(STOP)
        writer.add_add_bos_token(self._add_bos)
        if self._template is not None:
            writer.add_chat_template(self._template)
        return writer

    @staticmethod
    def end(path: Path, writer: gguf.GGUFWriter) -> Path:
        """Write the file."""
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path


def chain(*tokens: str) -> dict[str, str]:
    """A script: each token is followed by the next one."""
    return dict(itertools.pairwise(tokens))


def write_adapter(
    path: Path, tensors: Mapping[str, tuple[np.ndarray, np.ndarray]], architecture: str = "gpt-oss", alpha: float = 8.0
) -> Path:
    """A LoRA adapter: for each weight its two parts, of (rank, columns) and (rows, rank)."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, (a, b) in tensors.items():
        writer.add_tensor(f"{name}.lora_a", a.astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", b.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
