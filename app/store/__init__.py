"""Chats in SQLite, the settings file, paths and migrations. No Qt."""
