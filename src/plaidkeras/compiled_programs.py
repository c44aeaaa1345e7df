"""PlaidML's programs for the CPU are compiled once, and kept: see program_cache.py.

Compiling takes longer than all else before the first step, and PlaidML keeps nothing of it. Here six of
its functions are looked at before they begin:

    Platform::MakeProgram          has a program compiled: its text and shapes are the key
    lang::GenerateStripe           makes statements of its text: one that is kept has none
    codegen::Optimize              tiles and fuses them: not those of one that is kept
    Native::compile                has LLVM translate them: it gets them changed (unpadded.py,
                                   first_values.py, temporaries.py); of what is not kept yet we take what is needed
    PassManagerImpl::run           has LLVM optimize it: this is done on all cores, see translation.py
    MCJIT::generateCodeForModule   asks LLVM's ObjectCache for machine code: it answers with what is there

A program is kept as a block of tile/stripe/stripe.proto without its statements, which says what it takes
and returns, and its code, one or several ELF objects.
"""

import ctypes
import dataclasses
import functools
import hashlib
import os
import threading
from pathlib import Path

from plaidkeras import (code_generation, compile_time, compiler_patches, first_values, library, processor,
                        program_cache, stencils, stripe, temporaries, translation, unpadded, wire_format)
from plaidkeras.translation import Twine
from plaidkeras.wire_format import field, fields

LOOKS_AT_COMPILING = {"PLAIDML_STRIPE_OUTPUT", "PLAIDML_CPU_PROFILE", "VTUNE_PROFILE"}
DETERMINES_CODE = (code_generation, compile_time, compiler_patches, first_values, library, processor, stencils,
                   stripe, temporaries, translation, unpadded, wire_format)

# Functions of the library of 0.7.0 for Linux, each with its first instructions.
MAKE_PROGRAM = 0x3b6b30, bytes.fromhex("554889e5415741564989fe4155")
GENERATE_STRIPE = 0x1b81890, bytes.fromhex("554889e5415741564c8dbd70fdffff")
OPTIMIZE = 0x446d60, bytes.fromhex("554889e541574989ff41564c8db5e0feffff")
COMPILE = 0x71c260, bytes.fromhex("554889e5415741564c8dbd20feffff")
GENERATE_CODE = 0x8b0c00, bytes.fromhex("554889e54157415641554c8daf48020000")
SERIALIZE = 0x1d56b80, bytes.fromhex("554889e541554154")  # MessageLite::SerializeAsString
PARSE = 0x1d562c0, bytes.fromhex("554889e541544c63")  # MessageLite::ParseFromArray
INTO_MESSAGE = 0x1c4e830, bytes.fromhex("554889e541574989")  # stripe::IntoProto, of a block
DELETE_BLOCK = 0x1c71b80, bytes.fromhex("554889e5534889fb")  # its message
CREATE_PROGRAM = 0x1c74660, bytes.fromhex("55488d053035a300")  # a message
DELETE_PROGRAM = 0x1c745b0, bytes.fromhex("554889e5534889fb")
FROM_MESSAGE = 0x1c496e0, bytes.fromhex("554889e541574989")  # stripe::FromProto, of a program
RELEASE = 0x375900, bytes.fromhex("554889e541544c8b252bee3302")  # _Sp_counted_base::_M_release
DELETE = 0x1db8bbb, bytes.fromhex("e9604343fe")  # operator delete: ctypes may find the free of another malloc
COPY = 0x1a81910, bytes.fromhex("554889e54154534c")  # MemoryBuffer::getMemBufferCopy
READ_OBJECT = 0x17ac2a0, bytes.fromhex("554889e541554154534889fb")  # ObjectFile::createELFObjectFile
ADD_OBJECT = 0x8adce0, bytes.fromhex("554889e541545348")  # MCJIT::addObjectFile, of an OwningBinary
ASKING = 0x8b0da2, bytes.fromhex("488bb340040000")  # in GENERATE_CODE: mov rsi, [rbx + OBJECT_CACHE]
OBJECT_CACHE = 0x440
START_OF_BUFFER = 0x8  # in a MemoryBuffer
KNOWN = (MAKE_PROGRAM, GENERATE_STRIPE, OPTIMIZE, COMPILE, GENERATE_CODE, SERIALIZE, PARSE, INTO_MESSAGE,
         DELETE_BLOCK, CREATE_PROGRAM, DELETE_PROGRAM, FROM_MESSAGE, RELEASE, DELETE, COPY, READ_OBJECT, ADD_OBJECT,
         ASKING, *translation.KNOWN)
IS_IN_ORDER = 0x284f582  # CodedOutputStream::default_serialization_deterministic_: of what is in maps

ENTRY_OF_PROGRAM = 48  # where a stripe::Program has its entry, behind a map
ID, DEVICE = 1, 2  # fields of a Program of tile.proto
ENTRY, BLOCK, STATEMENTS = 1, 6, 6  # of a Program, a Statement and a Block of stripe.proto
CPU = b"llvm_cpu.0"
Address = ctypes.c_void_p


class Text(ctypes.Structure):
    """std::string"""
    _fields_ = [("start", Address), ("length", ctypes.c_size_t), ("short", ctypes.c_char * 16)]


class Message(ctypes.Structure):
    """A message of Protocol Buffers, and some room."""
    _fields_ = [("content", ctypes.c_char * 1024)]


class Shared(ctypes.Structure):
    """std::shared_ptr"""
    _fields_ = [("value", Address), ("count", Address)]


class Memory(ctypes.Structure):
    """llvm::MemoryBufferRef"""
    _fields_ = [("start", Address), ("length", ctypes.c_size_t),
                ("name", Address), ("length_of_name", ctypes.c_size_t)]


class Expected(ctypes.Structure):
    """llvm::Expected of a pointer"""
    _fields_ = [("value", Address), ("is_error", ctypes.c_bool)]


class Object(ctypes.Structure):
    """llvm::object::OwningBinary of an ObjectFile"""
    _fields_ = [("file", Address), ("buffer", Address)]


@dataclasses.dataclass
class Compiling:
    """A program on its way: its key, and what is kept of it, once that is known."""

    key: str
    block: bytes = b""
    objects: list[bytes] = dataclasses.field(default_factory=list)
    is_translating: bool = False


@functools.lru_cache(maxsize=None)
def keep_compiled_programs() -> bool:
    """Keep the programs of this process from here on; returns whether they are. Call it after all else
    that changes the library. Linux only, and only the library that it knows."""
    return library.change(lambda memory: all(memory.has(*function) for function in KNOWN), _Watch)


class _Watch:
    """Looks at what each thread compiles."""

    def __init__(self, memory: library.Library):
        self.compiler = _compiler_fingerprint()
        self.by_thread: dict[int, Compiling] = {}
        self.translated: dict[int, Shared] = {}  # by thread too: the program that LLVM is to translate
        self._serialize = memory.function(SERIALIZE[0], None, Address, Address)
        self._parse = memory.function(PARSE[0], ctypes.c_bool, Address, ctypes.c_char_p, ctypes.c_int)
        self._into_message = memory.function(INTO_MESSAGE[0], None, Address, Address)
        self._delete_block = memory.function(DELETE_BLOCK[0], None, Address)
        self._create_program = memory.function(CREATE_PROGRAM[0], None, Address)
        self._delete_program = memory.function(DELETE_PROGRAM[0], None, Address)
        self._from_message = memory.function(FROM_MESSAGE[0], None, Address, Address)
        self._copy = memory.function(COPY[0], None, Address, ctypes.c_char_p, ctypes.c_size_t, Address)
        self._release = memory.function(RELEASE[0], None, Address)
        self._delete = memory.function(DELETE[0], None, Address)
        self._read_object = memory.function(READ_OBJECT[0], None, Address, Memory)
        self._add_object = memory.function(ADD_OBJECT[0], None, Address, Address)
        self.translation = translation.Translation(memory)
        # An object whose class has an anchor, two destructors, and these two functions.
        self._functions = (ctypes.CFUNCTYPE(None, Address, Address, Memory)(self.notify_compiled),
                           ctypes.CFUNCTYPE(None, Address, Address, Address)(self.get_object))
        self._class = (Address * 5)(None, None, None, *(ctypes.cast(one, Address) for one in self._functions))
        self._object_cache = Address(ctypes.addressof(self._class))
        memory.write(IS_IN_ORDER, b"\1")
        # Nothing is looked up before the last one is there.
        for function, look in ((GENERATE_CODE, self.generate_code),
                               (translation.RUN_PASSES, self.run_passes), (COMPILE, self.compile),
                               (OPTIMIZE, self.optimize), (GENERATE_STRIPE, self.generate_stripe),
                               (MAKE_PROGRAM, self.make_program)):
            memory.look_before(*function, look)

    def make_program(self, arguments) -> None:  # result, platform, context, program, ...
        self.by_thread.pop(threading.get_ident(), None)
        wanted = [(number, content) for number, content in fields(self._serialized(arguments[3])) if number != ID]
        if (DEVICE, CPU) in wanted and not LOOKS_AT_COMPILING & os.environ.keys():
            compiling = Compiling(hashlib.sha256(self.compiler + repr(wanted).encode()).hexdigest())
            if program := program_cache.load(compiling.key):
                compiling.block, *compiling.objects = [content for _, content in fields(program)]
            self.by_thread[threading.get_ident()] = compiling

    def generate_stripe(self, arguments) -> bool:  # result, ...
        if not (compiling := self._compiling()) or not compiling.objects:
            return False
        self._make_program(arguments[0], compiling.block)
        return True

    def optimize(self, arguments) -> bool:
        return bool((compiling := self._compiling()) and compiling.objects)

    def compile(self, arguments) -> None:  # compiler, block, ...
        compiling = self._compiling()
        if compiling and compiling.objects:
            return
        program = self._serialized_block(arguments[1])
        if compiling:
            compiling.block = b"".join(field(*part) for part in fields(program) if part[0] != STATEMENTS)
        self._forget_translated()
        made = Shared()
        for change in unpadded.reshape_unpadded, first_values.set_late, temporaries.share_memory:
            program = change(program)
        self._make_program(ctypes.byref(made), program)
        self.translated[threading.get_ident()] = made
        arguments[1] = Address.from_address(made.value + ENTRY_OF_PROGRAM).value

    def run_passes(self, arguments) -> bool:  # passes, module
        if not (compiling := self._compiling()):
            return False
        if not compiling.objects and not compiling.is_translating:
            compiling.is_translating = True
            self.translation.merge_equal_functions(arguments[1])
            if len(self.by_thread) == 1:  # or LLVM may be in the midst of something
                compiling.objects = self.translation.objects(*arguments[:2])
            if compiling.objects:
                _keep(compiling)
        return bool(compiling.objects)

    def generate_code(self, arguments) -> None:  # MCJIT, module
        self._forget_translated()
        Address.from_address(arguments[0] + OBJECT_CACHE).value = ctypes.addressof(self._object_cache)
        for code in compiling.objects[1:] if (compiling := self._compiling()) else ():
            self._add(code, arguments[0])

    def get_object(self, result, cache, module) -> None:
        """Code that is kept, or none."""
        Address.from_address(result).value = None
        if (compiling := self._compiling()) and compiling.objects:
            self._copy_into(result, compiling.objects[0])
            del self.by_thread[threading.get_ident()]

    def notify_compiled(self, cache, module, code) -> None:
        """Code to be kept."""
        if compiling := self.by_thread.pop(threading.get_ident(), None):
            compiling.objects = [ctypes.string_at(code.start, code.length)]
            if self.translation.answer is not None:
                self.translation.return_code(*compiling.objects)
            _keep(compiling)

    def _forget_translated(self) -> None:
        if program := self.translated.pop(threading.get_ident(), None):
            self._release(program.count)

    def _compiling(self) -> Compiling | None:
        return self.by_thread.get(threading.get_ident())

    def _serialized(self, message) -> bytes:
        text = Text()
        self._serialize(ctypes.byref(text), message)
        content = ctypes.string_at(text.start, text.length)
        if text.start != ctypes.addressof(text) + Text.short.offset:
            self._delete(text.start)
        return content

    def _serialized_block(self, block) -> bytes:
        message = Message()
        self._into_message(ctypes.byref(message), block)
        content = self._serialized(ctypes.byref(message))
        self._delete_block(ctypes.byref(message))
        return content

    def _copy_into(self, buffer, code: bytes) -> None:
        self._copy(buffer, code, len(code), ctypes.byref(Twine(kinds=(Twine.EMPTY, Twine.EMPTY))))

    def _add(self, code: bytes, engine: int) -> None:
        """Load one more object."""
        buffer, read = Address(), Expected()
        self._copy_into(ctypes.addressof(buffer), code)
        start = Address.from_address(buffer.value + START_OF_BUFFER).value
        self._read_object(ctypes.byref(read), Memory(start, len(code)))
        self._add_object(engine, ctypes.byref(Object(read.value, buffer)))

    def _make_program(self, result, block: bytes) -> None:
        content, message = field(ENTRY, field(BLOCK, block)), Message()
        self._create_program(ctypes.byref(message))
        self._parse(ctypes.byref(message), content, len(content))
        self._from_message(result, ctypes.byref(message))
        self._delete_program(ctypes.byref(message))


def _keep(compiling: Compiling) -> None:
    if program_cache.folder():
        program_cache.store(compiling.key, b"".join(field(1, part) for part in (compiling.block, *compiling.objects)))


def _compiler_fingerprint() -> bytes:
    """All that determines the code of a program, apart from the program. What is to be changed is changed."""
    changes = [code_generation.use_instructions_of_the_processor(), code_generation.vectorize(),
               code_generation.know_tensors_apart(), code_generation.know_all_calls(),
               stencils.prefer_rows_that_lie_together(), compile_time.optimize_less(),
               compile_time.number_names_from_their_count(), compiler_patches.apply()]
    files = [__file__, *(module.__file__ for module in DETERMINES_CODE)]
    return bytes(changes) + b"".join(Path(file).read_bytes() for file in files)
