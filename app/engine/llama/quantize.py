"""Making a smaller copy of a model file."""

import ctypes
import os
from pathlib import Path
from typing import Any

from app.domain.errors import ErrorCode, UserError
from app.engine.llama.library import llama


def to_mxfp4(source: Path, target: Path) -> None:
    """Write ``source`` with gpt-oss's own types: experts in MXFP4, other matrices in Q8_0. Raises UserError."""
    quantize: Any = llama.llama_model_quantize  # declared with ctypes' own classes
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = llama.LLAMA_FTYPE_MOSTLY_MXFP4_MOE
    parameters.nthread = 1
    status = quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    if status != 0:
        raise UserError(ErrorCode.MODEL_LOAD_FAILED, name=source.name, reason="it could not be made smaller")
