"""trivy-gate: look with Trivy at every platform, judge by our own policy, never pass on missing evidence."""
