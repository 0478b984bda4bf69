"""Whether a query may run: limits on its text before the server sees it, and the plan that the server makes of it."""
