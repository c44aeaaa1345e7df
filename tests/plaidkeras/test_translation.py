"""LLVM translates in several processes what it would in one; where one of them fails, in one."""

import os
import signal
import subprocess
import sys

import pytest
from processes import is_running, wait_until
from small_network import NETWORK

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library is known on Linux only")

# Trains with kernels of every kind, and says how many parts its programs had, and a checksum of what it computed.
# What is said first may change how it is translated.
TRAIN = """
import hashlib, os
from plaidkeras import translation
translation.FEW = 0
os.sched_getaffinity = lambda process: range(3)
{first}
objects, parts = translation.Translation.objects, []
def counted(*arguments):
    translated = objects(*arguments)
    parts.append(len(translated))
    return translated
translation.Translation.objects = counted
import plaidkeras
plaidkeras.install("llvm_cpu.0")
""" + NETWORK + """
model.fit(images, labels, batch_size=16, epochs=2, verbose=0)
computed = [*model.get_weights(), model.predict(images)]
print(max(parts), hashlib.sha256(b"".join(array.tobytes() for array in computed)).hexdigest())
"""
ENVIRONMENT = {**os.environ, "PLAIDML_DEVICE_IDS": "llvm_cpu.0", "PLAIDKERAS_CACHE": ""}


def train(first):
    """(parts of the largest program, what was computed)"""
    said = subprocess.run([sys.executable, "-c", TRAIN.format(first=first)], check=True, capture_output=True, text=True,
                          env=ENVIRONMENT)
    assert not said.stderr
    parts, computed = said.stdout.split()
    return int(parts), computed


@pytest.fixture(scope="module")
def whole():
    """What a program computes that one process translates."""
    parts, computed = train("translation.MOST = 1")
    assert parts == 0
    return computed


# Told less of its functions, LLVM merges others of them; without shared memory, "main" allocates each temporary.
@pytest.mark.slow
@pytest.mark.parametrize("told", [
    "", "from plaidkeras import temporaries\ntemporaries.share_memory = lambda program: program",
    "from plaidkeras import code_generation, memory_functions\n"
    "code_generation.know_all_calls = memory_functions.serve_programs = lambda: False"])
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_what_several_processes_translate_computes_the_same(whole, told, parts):
    assert train(f"os.sched_getaffinity = lambda process: range({parts})\n{told}") == (parts, whole)


@pytest.mark.slow
@pytest.mark.parametrize("failing", [
    "def fail(*arguments): raise MemoryError",
    "def fail(*arguments): os.kill(os.getpid(), 9)",
    "def fail(*arguments): pass"])
def test_where_a_process_fails_the_program_is_translated_as_a_whole(whole, failing):
    assert train(f"{failing}\ntranslation.Translation._translate = fail") == (0, whole)


@pytest.mark.slow
def test_where_no_process_can_be_started_it_is_translated_as_a_whole(whole):
    second_fails = """
fork, forked = os.fork, []
def fail():
    forked.append(1)
    if len(forked) % 2 == 0:
        raise BlockingIOError
    return fork()
os.fork = fail
"""
    assert train(second_fails) == (0, whole)


@pytest.mark.slow
def test_a_process_that_does_not_end_is_ended(whole):
    assert train("translation.TIME_LIMIT = 1\n"
                 "import time\ntranslation.Translation._leave = lambda *arguments: time.sleep(60)") == (0, whole)


def test_its_processes_end_with_the_one_that_waits(tmp_path):
    started = tmp_path / "started"
    waiting = f"""
def wait(*arguments):
    import time
    with open({str(started)!r}, "a") as file:
        print(os.getpid(), file=file, flush=True)
    time.sleep(60)
translation.Translation._leave = wait
"""
    process = subprocess.Popen([sys.executable, "-c", TRAIN.format(first=waiting)], env=ENVIRONMENT,
                               stderr=subprocess.DEVNULL)
    translating = wait_until(lambda: started.exists() and len(numbers := started.read_text().split()) == 3 and numbers)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(int(number)) for number in translating))


@pytest.mark.slow
def test_ctrl_c_is_answered_when_they_have_ended():
    interrupted = """
translate = translation.Translation._translate
def interrupt(*arguments):
    os.kill(os.getppid(), 2)
    translate(*arguments)
translation.Translation._translate = interrupt
"""
    said = subprocess.run([sys.executable, "-c", TRAIN.format(first=interrupted)], capture_output=True, text=True,
                          env=ENVIRONMENT)
    assert said.returncode == -signal.SIGINT and said.stderr.endswith("KeyboardInterrupt\n") and not said.stdout


EQUAL = """
from plaidkeras import translation
merge, counts = translation.Translation.merge_equal_functions, []
def counted(self, module):
    before = len(list(translation._functions(module)))
    merge(self, module)
    counts.append((before, len(list(translation._functions(module)))))
translation.Translation.merge_equal_functions = counted
import plaidkeras
plaidkeras.install("llvm_cpu.0")
import keras.backend as K
value, weights = K.variable([[1.0, 2.0]]), K.variable([[0.5, 0.5], [0.5, 0.5]])
for _ in range(40):
    value = K.dot(value, weights)
print(K.eval(value), *max(counts))
"""


def test_of_equal_functions_one_is_left():
    said = subprocess.run([sys.executable, "-c", EQUAL], check=True, capture_output=True, text=True, env=ENVIRONMENT)
    value, before, after = said.stdout.rsplit(maxsplit=2)
    assert value == "[[1.5 1.5]]" and int(before) > 40 > int(after)
