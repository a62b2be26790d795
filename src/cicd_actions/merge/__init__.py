"""Landing exactly the tested commit on the target branch, and starting what comes next."""
