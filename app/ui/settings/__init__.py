"""The settings pane, generated from the declared settings."""
