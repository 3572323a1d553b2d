"""The harmony format: conversation to segments to token ids, token ids to events. Pure."""
