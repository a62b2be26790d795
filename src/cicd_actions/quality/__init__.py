"""The quality gate: lint, tests with coverage and audits of one commit, one verdict."""
