"""OCI images on disk and in registries: what the build and the scan both need.

Contract: the OCI Image Layout, Image Index, Image Manifest and Distribution specifications.
"""
