"""The shown conversation: Markdown as it streams, laid out only near the viewport."""
