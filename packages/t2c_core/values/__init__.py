"""Values of a graph: where they occur, and where a question names them."""
