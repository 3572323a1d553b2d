"""What surrounds the panes: rail, message bar, status line, dialogs."""
