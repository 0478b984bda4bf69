"""Content selection: what a question asks, as a query tree grounded in the graph, and its Cypher."""
