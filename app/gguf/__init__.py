"""A bounded reader of GGUF headers. Pure."""
