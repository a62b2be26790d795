"""image-tags: print what build-and-push would tag."""
