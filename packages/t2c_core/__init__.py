"""What building question-Cypher data and answering questions must agree on."""
