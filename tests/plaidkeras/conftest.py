"""Keras on PlaidML's CPU, once for all tests of this folder."""

import plaidkeras

plaidkeras.install("llvm_cpu.0")
