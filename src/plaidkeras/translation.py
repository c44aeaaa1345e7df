"""LLVM translates a program: of equal functions one, and the rest on all cores.

It keeps what it works on in a context that one thread at a time may use. So processes are forked, each of which
has LLVM translate some of the program's kernels, and returns machine code, an ELF object; this process
loads all of them as if they were one. Where one fails, it has the whole program translated here.

A program is a module of LLVM's, whose functions call each other as the branches of a tree: the trunk calls the
kernels, and each of these has branches of its own. A kernel goes into a part with all that it calls, so that
only the trunk's calls lead from one part into another. LLVM merges equal functions after it has optimized each
of them, PlaidML's makes thousands of them for a recurrent layer: here they are merged first.
"""

import contextlib
import ctypes
import os
import signal
import warnings
from collections.abc import Iterator

from plaidkeras import library, processor

# Functions of the library of 0.7.0 for Linux, each with its first instructions.
RUN_PASSES = 0x19c4040, bytes.fromhex("554889e5415741564989fe4155")  # legacy::PassManagerImpl::run
MAKE_PASSES = 0x19bd500, bytes.fromhex("554889e5415541544989fc53")  # legacy::PassManager's constructor
DELETE_PASSES = 0x19bbdc0, bytes.fromhex("554889e5534889fb4883ec08")
ADD_PASS = 0x19c5340, bytes.fromhex("488b7f084881c7a0010000e9d0f8ffff")
MAKE_MERGING = 0x821280, bytes.fromhex("55bfc80000004889e541554154534883ec38")  # createMergeFunctionsPass
MAKE_EXECUTABLE = 0x781340, bytes.fromhex("554889e54157415641554989f5")  # Executable's constructor
FUNCTION_OF = 0x199d5f0, bytes.fromhex("488b4728488b4038c3")  # Instruction::getFunction
USER_OF = 0x19f36b0, bytes.fromhex("488d4718488b50f883e203")  # Use::getImpliedUser
SIZE = 0x1992c30, bytes.fromhex("554889e54157415641554154534881ec")  # Function::getInstructionCount
DROP = 0x198c2e0, bytes.fromhex("554889e541564531f641554c8d6f48")  # Function::dropAllReferences
SET_INITIALIZER = 0x1996c40, bytes.fromhex("554889e541545348" "89fb4885f6")  # GlobalVariable::setInitializer
SET_NAME = 0x19f8cc0, bytes.fromhex("554889e5534889fb4883ec08e82ffdffff")  # Value::setName
KNOWN = (RUN_PASSES, MAKE_PASSES, DELETE_PASSES, ADD_PASS, MAKE_MERGING, MAKE_EXECUTABLE, FUNCTION_OF, USER_OF, SIZE,
         DROP, SET_INITIALIZER, SET_NAME)
# Where LLVM has things: a module its variables and its functions, two rings of nodes; either its node, and how it
# is linked; a function its blocks; a value the first of its uses, its kind, and whether it has a name; nodes and
# uses the next one.
VARIABLES, FUNCTIONS, NODE, LINKAGE, BLOCKS, NEXT = 0x8, 0x18, 0x38, 0x20, 0x48, 0x8
FIRST_USE, KIND, FLAGS = 0x8, 0x10, 0x17
HAS_NAME = 0x20  # a flag
CONSTANT_EXPRESSION = 5  # a kind
EXTERNAL = 0  # a way to be linked

FEW = 5000  # instructions of a program that is translated here: another process would take longer
MOST = 8  # processes
TIME_LIMIT = 600  # s, of a process
END = b"end"  # of an answer that is whole
PR_SET_PDEATHSIG = 1

Address = ctypes.c_void_p


class Twine(ctypes.Structure):
    """llvm::Twine"""
    _fields_ = [("texts", ctypes.c_char_p * 2), ("kinds", ctypes.c_uint8 * 2)]
    EMPTY, C_STRING = 1, 3  # kinds


class Passes(ctypes.Structure):
    """llvm::legacy::PassManager"""
    _fields_ = [("functions", Address), ("implementation", Address)]


class ProgramModule(ctypes.Structure):
    """vertexai::tile::targets::cpu::ProgramModule"""
    _fields_ = [("module", Address), ("parameters", Address * 3), ("externals", Address * 6)]


class Translation:
    """Has LLVM translate modules; a module, a function and what LLVM is to do with them are addresses."""

    def __init__(self, memory: library.Library):
        self._run_passes = memory.function(RUN_PASSES[0], ctypes.c_bool, Address, Address)
        self._make_passes = memory.function(MAKE_PASSES[0], None, Address)
        self._delete_passes = memory.function(DELETE_PASSES[0], None, Address)
        self._add_pass = memory.function(ADD_PASS[0], None, Address, Address)
        self._make_merging = memory.function(MAKE_MERGING[0], Address)
        self._make_executable = memory.function(MAKE_EXECUTABLE[0], None, Address, Address)
        self._function_of = memory.function(FUNCTION_OF[0], Address, Address)
        self._user_of = memory.function(USER_OF[0], Address, Address)
        self._size = memory.function(SIZE[0], ctypes.c_uint, Address)
        self._set_name = memory.function(SET_NAME[0], None, Address, Address)
        self._drop = memory.function(DROP[0], None, Address)
        self._set_initializer = memory.function(SET_INITIALIZER[0], None, Address, Address)
        self.answer: int | None = None  # in a process that translates a part: the pipe that waits for it

    def merge_equal_functions(self, module: int) -> None:
        """Leave one of all equal functions, and give those a name that have none, for other parts to know them by."""
        passes = Passes()
        self._make_passes(ctypes.byref(passes))
        self._add_pass(ctypes.byref(passes), self._make_merging())
        self._run_passes(passes.implementation, module)
        self._delete_passes(ctypes.byref(passes))
        name = Twine((b"merged",), (Twine.C_STRING, Twine.EMPTY))
        for function in _functions(module):
            if not ctypes.c_uint8.from_address(function + FLAGS).value & HAS_NAME:
                self._set_name(function, ctypes.byref(name))  # and a number, where it is taken

    def objects(self, passes: int, module: int) -> list[bytes]:
        """The machine code of a module, optimized by passes, in parts; none if it is small, or if that failed.

        Each process comes to call `return_code`. Call this while no other thread has LLVM do anything.
        """
        size = {function: self._size(function) for function in _functions(module)}
        count = min(processor.usable_cores(), MOST)
        if sum(size.values()) < FEW or count == 1:
            return []
        callers = {function: self._callers(function) for function in size}
        started = []
        with contextlib.suppress(OSError, RuntimeError):  # no more processes, no more memory, or Python ends
            for part in _parts(size, callers, count):
                started.append(self._start(part, callers, passes, module))
        objects = [_answer(process, pipe) for process, pipe in started]
        return objects if len(objects) == count and all(objects) else []

    def return_code(self, code: bytes) -> None:
        """End a process that translates a part."""
        with open(self.answer, "wb") as answer:
            answer.write(code + END)
        os._exit(0)

    def _start(self, part: set[int], callers: dict[int, set[int]], passes: int, module: int) -> tuple[int, int]:
        """Have another process translate a part of a module: (its number, the pipe where it answers)."""
        reading, writing = os.pipe()
        this = os.getpid()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # or the child might answer one
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the process does without them
                process = os.fork()
            if process == 0:
                os.close(reading)
                self.answer = writing
                self._translate(part, callers, passes, module)
        except BaseException:
            os.close(reading)
            raise
        finally:
            if os.getpid() != this:
                os._exit(1)  # whatever happened, it does not go on as this one does
            os.close(writing)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return process, reading

    def _translate(self, part: set[int], callers: dict[int, set[int]], passes: int, module: int) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the other's to answer
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(TIME_LIMIT)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._leave(part, callers, module)
        self._run_passes(passes, module)
        executable = ctypes.create_string_buffer(4096)
        self._make_executable(executable, ctypes.byref(ProgramModule(module)))

    def _leave(self, part: set[int], callers: dict[int, set[int]], module: int) -> None:
        """Leave only some functions in a module, and have those seen that other parts call, or have; and leave
        its variables where its entry is, which nothing calls."""
        for function in callers:
            if function not in part or not callers[function] <= part:
                _Linkage.from_address(function + LINKAGE).bits = EXTERNAL
        for function in callers.keys() - part:
            self._drop(function)
        if all(callers[function] for function in part):
            for variable in _nodes(module + VARIABLES):
                if _Linkage.from_address(variable + LINKAGE).bits == EXTERNAL:
                    self._set_initializer(variable, None)

    def _callers(self, value: int) -> set[int]:
        """The functions that use a value."""
        callers = set()
        use = _word(value + FIRST_USE)
        while use:
            user = self._user_of(use)
            if (content := _word(user)) & 1:  # it is elsewhere
                user = content - 1
            if ctypes.c_uint8.from_address(user + KIND).value == CONSTANT_EXPRESSION:
                callers |= self._callers(user)
            else:
                callers.add(self._function_of(user))
            use = _word(use + NEXT)
        return callers


def _parts(size: dict[int, int], callers: dict[int, set[int]], count: int) -> list[set[int]]:
    """The functions of each part; what is no kernel's is in the first."""
    callees = {function: [] for function in size}
    for function in size:
        for caller in callers[function]:
            callees[caller].append(function)

    def with_callees(function):
        return {function}.union(*map(with_callees, callees[function]))

    def total(functions):
        return sum(map(size.get, functions))

    main = max(callees.values(), key=len)  # what the function that calls all kernels calls
    kernels = sorted(map(with_callees, main), key=total, reverse=True)
    parts = [set(size).difference(*kernels), *(set() for _ in range(count - 1))]
    loads = [total(part) for part in parts]
    for kernel in kernels:
        after = [load + total(kernel - part) for load, part in zip(loads, parts)]
        least = after.index(min(after))
        parts[least] |= kernel
        loads[least] = after[least]
    return parts


class _Linkage(ctypes.Structure):
    _fields_ = [("bits", ctypes.c_uint32, 4)]


def _functions(module: int) -> Iterator[int]:
    """Those that have blocks of instructions, not only a name."""
    return (function for function in _nodes(module + FUNCTIONS) if _word(function + BLOCKS) != function + BLOCKS)


def _nodes(ring: int) -> Iterator[int]:
    """The functions or variables in a ring."""
    node = _word(ring + NEXT)
    while node != ring:
        yield node - NODE
        node = _word(node + NEXT)


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _answer(process: int, pipe: int) -> bytes:
    """The code that a process returned; none if it failed."""
    with open(pipe, "rb") as answer:
        code = answer.read()
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored, nothing is left of it
        os.waitpid(process, 0)
    return code.removesuffix(END) if code.endswith(END) else b""
