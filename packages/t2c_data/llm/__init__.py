"""Pairs that a language model writes, and its opinions: any server with the OpenAI HTTP API."""
