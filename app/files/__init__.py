"""Files that are written whole or not at all; for the store and the hub alike."""
