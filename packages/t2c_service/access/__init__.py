"""Authentication, authorisation, rate and concurrency limits, and the audit log."""
