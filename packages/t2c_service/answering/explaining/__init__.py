"""From rows to an explained answer: text, column labels, diagnosis of empty results, provenance."""
