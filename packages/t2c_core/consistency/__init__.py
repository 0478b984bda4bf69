"""Whether a question and a query agree: what each of them names, compares, computes and returns."""
