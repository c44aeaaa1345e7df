"""The learning: data, network, training, evaluation, and the run on disk."""


class ExpectedError(Exception):
    """The root of what is raised on purpose. The message stands alone: it names the file, row, key
    or device and says what to do next."""
