"""Reading and writing pictures and films: file types, colours, encodings."""
