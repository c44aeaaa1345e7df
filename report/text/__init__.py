"""Words and numbers: the notes at the head of the pages, the figures they may name, and formats."""
