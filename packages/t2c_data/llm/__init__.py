"""Pairs that a language model writes, judges and paraphrases: any server with the OpenAI HTTP API."""
