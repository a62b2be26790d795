"""One module per tool: how it is called, and how what it left is read. Reports count, exit codes do not."""
