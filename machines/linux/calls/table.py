"""How system calls are declared: a decorated function, or one line that hands the call to the host's kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.translator.host_calls import HostCall, Kind, Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

#: A handler takes the task and the raw register values (unsigned, 64 bits) of as many arguments as it names. It
#: returns the result or minus an error number; None leaves every register alone (execve, rt_sigreturn). It may raise
#: OSError, and GuestFault for EFAULT.
Handler = Callable[..., "int | None"]
_Declared = TypeVar("_Declared", bound=Handler)


class SystemCall(NamedTuple):
    """A declared system call."""

    name: str
    handler: Handler
    arity: int
    #: After a signal handler with SA_RESTART the call starts again; others report EINTR (signal(7)).
    restart: bool
    #: How native code can make it for the guest, without Python, if it can.
    native: HostCall | None = None


#: Every declared system call by name.
SYSTEM_CALLS: dict[str, SystemCall] = {}
#: Those that differ where words have 32 bits, or exist nowhere else; they come before the others.
COMPAT_CALLS: dict[str, SystemCall] = {}
#: What calls with other names there are, which take no structures, are called elsewhere.
COMPAT_ALIASES: dict[str, str] = {}


def find_call(name: str, *, compat: bool) -> SystemCall | None:
    """A declared call; `compat` says that the guest's words have 32 bits."""
    if not compat:
        return SYSTEM_CALLS.get(name)
    import metaphrase.machines.linux.calls.compat  # noqa: F401  declares them: programs with longer words start sooner

    return COMPAT_CALLS.get(name) or SYSTEM_CALLS.get(COMPAT_ALIASES.get(name, name))


def declare(
    name: str, handler: Handler, arity: int, restart: bool, *, compat: bool = False, native: HostCall | None = None
) -> None:
    """Enter a call into one of the tables."""
    table = COMPAT_CALLS if compat else SYSTEM_CALLS
    if name in table:
        raise ValueError(f"system call {name} is declared twice")
    table[name] = SystemCall(name, handler, arity, restart, native)


def syscall(
    *names: str, restart: bool = True, compat: bool = False, native: HostCall | None = None
) -> Callable[[_Declared], _Declared]:
    """Declare a handler, under more than one name where the kernel does the same for each.

    `native` is how native code may make the call in the handler's place, where it can.
    """

    def declare_handler(handler: _Declared) -> _Declared:
        # (inspect.signature would cost 2 ms for all calls together)
        arity = handler.__code__.co_argcount - 1
        for name in names:
            declare(name, handler, arity, restart, compat=compat, native=native)
        return handler

    return declare_handler


#: A handler that is given the task, and a function that gets a register.
Bound = Callable[["Task", Callable[[str], int]], "int | None"]


def bind(handler: Handler, registers: Sequence[str]) -> Bound:
    """A handler that fetches just the registers that it needs."""
    if len(registers) == 0:
        return lambda task, get: handler(task)
    if len(registers) == 1:
        (first,) = registers
        return lambda task, get: handler(task, get(first))
    if len(registers) == 2:
        first, second = registers
        return lambda task, get: handler(task, get(first), get(second))
    if len(registers) == 3:
        first, second, third = registers
        return lambda task, get: handler(task, get(first), get(second), get(third))
    return lambda task, get: handler(task, *[get(register) for register in registers])


class Argument(NamedTuple):
    """How one argument of a passed-through call is translated."""

    kind: str
    #: Bytes that the kernel writes, for `out(size)`; bytes of an element, for `array(size)`.
    size: int = 0


#: A number, passed as it is.
VALUE = Argument("value")
#: The size of the buffer before it; clamped to what the kernel moves at most.
SIZE = Argument("size")
#: A pointer that the kernel reads from.
IN = Argument("pointer")
#: A pointer to a buffer that the kernel fills; the next argument is its SIZE.
OUT = Argument("buffer", 1)
#: A list of struct iovec, whose buffers the kernel reads, or fills; the next argument is their number.
VECTOR, FILLED_VECTOR = Argument("vector"), Argument("filled vector")
#: The path of something that should exist: looked for in the sysroot first.
PATH = Argument("path")


def out(size: int) -> Argument:
    """A pointer to a structure of `size` bytes that the kernel fills."""
    return Argument("structure", size)


def array(size: int) -> Argument:
    """A pointer to elements of `size` bytes that the kernel reads and fills; the next argument is their number."""
    return Argument("buffer", size)


_KINDS = {
    "value": Kind.VALUE, "size": Kind.SIZE, "path": Kind.PATH, "pointer": Kind.READ,
    "buffer": Kind.FILLED, "structure": Kind.FILLED, "vector": Kind.VECTOR, "filled vector": Kind.FILLED_VECTOR,
}  # fmt: skip
"""What native code takes arguments for."""


def in_native_code(name: str, *arguments: Argument, way: Way = Way.PLAIN, fills_status: bool = False) -> HostCall:
    """How native code makes a call with these arguments, which may fill struct stat."""
    return HostCall(HOST[name], tuple(_KINDS[argument.kind] for argument in arguments), way, fills_status)


def passthrough(
    name: str, *arguments: Argument, blocking: bool = False, restart: bool = True, way: Way | None = None
) -> None:
    """Declare a call that the host answers; structures it names must be laid out alike on all guests.

    Pointers move into the window; null stays null. A pointer outside the window or to unmapped pages is the host
    kernel's to refuse. `way` is how native code makes the call, if not simply so.
    """
    number = HOST[name]
    pointers = [
        index for index, argument in enumerate(arguments) if argument.kind in ("pointer", "buffer", "structure")
    ]
    sizes = [index for index, argument in enumerate(arguments) if argument.kind == "size"]
    outputs = [(index, argument.size) for index, argument in enumerate(arguments) if argument.kind == "structure"]
    buffers = [(index, argument.size) for index, argument in enumerate(arguments) if argument.kind == "buffer"]
    paths = [index for index, argument in enumerate(arguments) if argument.kind == "path"]

    def plain(task: Task, *values: int) -> int:
        return task.blocking_call(number, *values) if blocking else host.call(number, *values)

    def translated(task: Task, *values: int) -> int:
        window = task.window
        base, limit = window.base, window.reach
        translation = list(values)
        for index in pointers:
            pointer = translation[index]
            if pointer:
                translation[index] = base + pointer if pointer < limit else host.NOWHERE
        for index in sizes:
            if translation[index] > host.MAX_TRANSFER:
                translation[index] = host.MAX_TRANSFER
        if window.may_have_writable_code():
            for index, size in outputs:
                window.will_write(values[index], size)
            for index, size in buffers:
                window.will_write(values[index], size * translation[index + 1])
        if paths:
            # The strings must live until the call returns.
            strings = []
            for index in paths:
                if values[index]:
                    translation[index], string = host_path(task, values[index])
                    strings.append(string)
        if blocking:
            return task.blocking_call(number, *translation)
        return host.call(number, *translation)

    handler = translated if pointers or sizes or paths else plain
    if way is None:
        way = Way.WAITING if blocking else Way.PLAIN
    native = in_native_code(name, *arguments, way=way)
    declare(name, handler, len(arguments), restart, native=native)


def host_path(task: Task, address: int) -> tuple[int, Any]:
    """A pointer for the kernel to the host's path for a guest's path, and what keeps it alive.

    One that cannot be read is the kernel's to refuse, which looks at other arguments before.
    """
    try:
        name = task.window.read_cstring(address, host.PATH_MAX)
    except GuestFault:
        return host.NOWHERE, None
    return host.string(task.process.paths.host(name))


def signed32(value: int) -> int:
    """An `int` argument: the low 32 bits of a register, signed."""
    value &= 0xFFFF_FFFF
    return value - 0x1_0000_0000 if value & 0x8000_0000 else value


def signed64(value: int) -> int:
    """A `long` argument: a register, signed."""
    return value - (1 << 64) if value >> 63 else value
