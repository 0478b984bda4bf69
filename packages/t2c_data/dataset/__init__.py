"""From candidates to the files of a data set: collection, de-duplication, splits, statistics, dataset card."""
