"""Which way a model is talked to."""

from app.engine.chat_format import ChatFormat, HarmonyFormat
from app.engine.llama.model import LlamaModel
from app.engine.templates.format import TemplateFormat
from app.harmony.vocabulary import speaks_harmony


def format_for(model: LlamaModel) -> ChatFormat:
    """Harmony wherever the vocabulary has its control tokens, else the model's own chat template; close it.

    Raises UserError when the model has no template, or one that cannot be used.
    """
    return HarmonyFormat(model) if speaks_harmony(model) else TemplateFormat(model)
