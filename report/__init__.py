"""The rendering: reads a finished run and writes a static site. Never imports keras or plaidml."""
