"""Questions that are spoken, and answers that are: see `session.Session`. Needs the extra `voice`."""
