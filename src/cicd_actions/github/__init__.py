"""GitHub's API: sign-in, retries and rate limits, refs, merges, commits, comments, statuses, dispatch.

PyGithub signs in, keeps the connection and knows the addresses of GitHub Enterprise Server. What is sent and what an
answer means stands here, because each write needs its own answer to "did it happen?" after a lost connection.
"""
