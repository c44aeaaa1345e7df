"""What stands in PlaidML's library in the memory of this process."""

import plaidml


def read(at, length):
    plaidml._lib()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        library = min(int(line.partition("-")[0], 16) for line in maps if line.rstrip().endswith("/libplaidml.so"))
        memory.seek(library + at)
        return memory.read(length)
