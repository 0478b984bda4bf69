"""CSVs as nodes and relationships: files, headers, mappings."""
