"""Output files and folders, and messages on standard error, for all packages."""
