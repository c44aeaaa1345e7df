"""Charts, pictures and diagrams: what people would rather look at than read."""
