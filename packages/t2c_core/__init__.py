"""Core shared by data generation and the service: schema, graph access, values, prompts, grammar, guard, metrics."""
