"""A small model of gpt-oss's architecture with random weights."""

from __future__ import annotations

from pathlib import Path


def random_gpt_oss(path: Path, like: Path, window: int, seed: int = 1) -> Path:
    """A model of gpt-oss's architecture with random weights, ``window`` wide, and all else like another's."""
    import gguf
    import numpy as np

    old = gguf.GGUFReader(like)
    writer = gguf.GGUFWriter(path, "gpt-oss")
    kinds = gguf.GGUFValueType
    for name, entry in old.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = window if name.endswith("sliding_window") else entry.contents()
        writer.add_key_value(name, value, entry.types[0], entry.types[-1] if entry.types[0] is kinds.ARRAY else None)
    rng = np.random.default_rng(seed)
    for tensor in old.tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        noise = rng.normal(0, shape[-1] ** -0.5 * 3, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(tensor.name, noise.astype(np.float16 if int(tensor.tensor_type) == 1 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
