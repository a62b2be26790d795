"""The whole pipeline on one machine, with the real parts; only GitHub is stood in for."""
