"""The device's self-test passes where all is right, and names what is wrong."""

import keras.backend as K
import pytest

from plaidkeras import selftest
from plaidkeras.device import DeviceError
from plaidkeras.backend import stock


def test_the_cpu_passes():
    assert max(selftest.errors().values()) < 1e-4
    selftest.check()


def test_plaidmls_own_batch_normalization_is_found_out(monkeypatch):
    """Its gradient is wrong on every device; that of all else it leaves right."""
    monkeypatch.setattr(K, "normalize_batch_in_training", stock["normalize_batch_in_training"])
    monkeypatch.setattr(K, "gradients", stock["gradients"])
    wrong = [name for name, error in selftest.errors().items() if error > selftest.TOLERANCE]
    assert wrong == ["the gradient of a convolution before BatchNormalization"]
    with pytest.raises(DeviceError, match="llvm_cpu.0: self-test failed: the gradient of a conv"):
        selftest.check()


def test_a_wrong_forward_pass_is_named(monkeypatch):
    monkeypatch.setattr(K, "relu", lambda x: x)
    with pytest.raises(DeviceError, match="the convolution is off by"):
        selftest.check()
