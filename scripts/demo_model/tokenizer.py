"""A byte-level BPE vocabulary for the demo guide, with harmony's control tokens under their own names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from .conversations import Corpus, Node

# In the order of gpt-oss's own ids. They follow the text tokens.
CONTROL_TOKENS = (
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
    "<|endofprompt|>",
)

# How `gpt-4o` pre-tokenizes: words with the sign before them, up to three digits, signs, line ends, spaces.
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT_4O_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _ENDING + "|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _ENDING + r"|\p{N}{1,3}" + _TAIL
)

# What the merges are learned from is cut finer: a capitalised word never merges with the space or quotation mark before
# it, and digits stay alone. So a name is the same tokens in a sentence, in JSON and in an answer, and can be copied.
LEARNING_PATTERN = (
    r" ?[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    + _ENDING
    + r"|[\p{Lu}\p{Lt}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    + _ENDING
    + r"|\p{N}"
    + _TAIL
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The parts that a GGUF file stores: all tokens by id, and the merges in order."""

    tokens: tuple[str, ...]
    merges: tuple[str, ...]

    @property
    def control_ids(self) -> dict[str, int]:
        first = len(self.tokens) - len(CONTROL_TOKENS)
        return {name: first + index for index, name in enumerate(CONTROL_TOKENS)}


def _pre_tokenizer(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def learn_vocabulary(texts: Iterable[str], size: int) -> Vocabulary:
    """Learns `size` tokens, control tokens included, from plain texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer(LEARNING_PATTERN)
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(CONTROL_TOKENS),
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    if len(tokens) != size - len(CONTROL_TOKENS):
        raise ValueError(f"the corpus yields only {len(tokens)} text tokens")
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return Vocabulary((*tokens, *CONTROL_TOKENS), tuple(" ".join(pair) for pair in merges))


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer that llama.cpp builds from the same parts; control-token names in a text become control tokens."""
    text_tokens = vocabulary.tokens[: -len(CONTROL_TOKENS)]
    merges = [(first, second) for first, second in (merge.split(" ") for merge in vocabulary.merges)]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(text_tokens)}, merges))
    tokenizer.pre_tokenizer = _pre_tokenizer(GPT_4O_PATTERN)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in CONTROL_TOKENS])
    return tokenizer


def learn_corpus_vocabulary(corpus: Corpus, size: int, seed: int) -> Vocabulary:
    """A vocabulary in which the words of answers, questions and prompts are whole; invented words are in pieces."""
    random = Random(f"vocabulary {seed}")
    texts: list[str] = []
    for topic in corpus.topics:
        texts += [topic.answer, topic.more, topic.subject] * 20
        texts += [*topic.questions * 4, *corpus.wordings[topic.name]]
        texts += [question.lower() for question in topic.questions]
    texts += [*corpus.unknown.questions * 4, *corpus.unknown.subjects * 4]
    texts += [f" {word}" for word in corpus.unknown.words] * 2
    trees: dict[str, None] = {}
    for _ in range(150):
        _collect(corpus.tree(random, 300, 0.1), trees)
    for text in trees:
        for name in CONTROL_TOKENS:
            text = text.replace(name, "\0")
        texts += text.split("\0")
    return learn_vocabulary(texts, size)


def _collect(node: Node, texts: dict[str, None]) -> None:
    texts.update(dict.fromkeys(text for text, _ in node.pieces))
    for child in node.children:
        _collect(child, texts)
