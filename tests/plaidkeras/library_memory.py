"""What stands in PlaidML's library in the memory of this process, and what stands elsewhere in others."""

import plaidml


def read(at, length):
    plaidml._lib()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        library = min(int(line.partition("-")[0], 16) for line in maps if line.rstrip().endswith("/libplaidml.so"))
        memory.seek(library + at)
        return memory.read(length)


def elsewhere(at, code):
    """What another library may have: other code there, the code at another place, or nothing."""
    return (at, code[::-1]), (at + 1, code), (2 ** 62, code)


def other_libraries(monkeypatch, module, *names):
    """In turn, has each of what a module knows by these names stand elsewhere."""
    for name in names:
        for other in elsewhere(*getattr(module, name)):
            with monkeypatch.context() as patched:
                patched.setattr(module, name, other)
                yield
