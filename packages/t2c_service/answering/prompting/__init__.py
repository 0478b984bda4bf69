"""What a model is given: the relevant part of the schema, examples, feedback of earlier attempts."""
