"""Feedback about answers: kept in a file, exported as question-query pairs."""
