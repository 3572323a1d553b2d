"""Sizes in words."""

from PySide6.QtCore import QLocale


def size_in_words(size: int, locale: QLocale) -> str:
    """Bytes as people and shops count them: 12.1 GB is 12.1 thousand million bytes."""
    return locale.formattedDataSize(size, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def context_in_words(tokens: int, locale: QLocale) -> str:
    """A context length, in thousands where it is one."""
    if tokens >= 1024 and tokens % 1024 == 0:
        return f"{locale.toString(tokens // 1024)}K"
    return locale.toString(tokens)
