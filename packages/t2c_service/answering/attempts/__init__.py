"""One attempt at a query: generate, check, execute, and the choice among attempts."""
