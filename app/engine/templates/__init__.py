"""Models other than gpt-oss: their own Jinja chat template, drawn in a locked-up process, and their reasoning tags."""
