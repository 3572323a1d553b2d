"""What the panes talk to: every thread and every cross-thread signal."""
