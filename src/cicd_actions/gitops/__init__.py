"""GitOps: values in YAML files changed byte for byte, landed as one commit that loses nobody's work."""
