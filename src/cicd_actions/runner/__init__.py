"""The protocol of the Actions runner: inputs, context, outputs, annotations, summary, masking.

Contract: GitHub's "Workflow commands" and "Variables" reference pages; limits in docs/architecture.md.
"""
