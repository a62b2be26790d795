"""build-and-push: build every platform once, scan each, publish the very bytes that were scanned."""
