"""Keras 2.2.4's own tests, on PlaidML, and the list of those that fail with the reason of each."""
