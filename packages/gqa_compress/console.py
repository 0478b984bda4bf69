"""Where progress and notes go: standard error, so that standard output stays a result."""

from rich.console import Console

CONSOLE = Console(stderr=True)
