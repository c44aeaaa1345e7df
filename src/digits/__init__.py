"""The learning: data, network, training, evaluation, and the run on disk."""
