"""quality-gate, auto-merge and notify in one go: test what was pushed, land exactly that, tell the author."""
