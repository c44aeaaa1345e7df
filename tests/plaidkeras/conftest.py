"""Keras on PlaidML's CPU, once for all tests of this folder; on another device with
REPORT_TEST_DEVICE, where some tests of what is the CPU's alone fail."""

import os

import plaidkeras

plaidkeras.install(os.environ.get("REPORT_TEST_DEVICE", "llvm_cpu.0"))
