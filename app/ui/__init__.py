"""Widgets: main window, chat, models and settings panes, theme."""
