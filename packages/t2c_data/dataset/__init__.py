"""From candidates to the files of a dataset: store, de-duplication, splits, statistics, report."""
