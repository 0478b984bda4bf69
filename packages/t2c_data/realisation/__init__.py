"""Surface realisation: a query tree in English words."""
