"""The chat pane: the list of chats, the transcript's frame, the composer."""
