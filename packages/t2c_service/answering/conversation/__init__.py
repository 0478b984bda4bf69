"""Turns of a conversation: what a text changes in the query of the turn before, and which reading was chosen."""
