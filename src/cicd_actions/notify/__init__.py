"""Telling people what happened: a comment on the commit, Slack. A failed delivery never changes a verdict."""
