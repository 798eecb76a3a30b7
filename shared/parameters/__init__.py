"""Parameters of a face: schema, values over time, files of them, how a face answers."""
