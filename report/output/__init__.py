"""The site as files: rendered, written whole or not at all, and checked."""
