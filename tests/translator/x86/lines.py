"""Cases as lines of text: code | what differs from the reset state | memory; as regressions.txt holds them."""

from __future__ import annotations

from tests.oracle.native import ARENA, ARENA_SIZE, ENTRY, REGISTERS, Case, State


def show_case(case: Case, undefined: int = 0) -> str:
    """A case as a line: code | what differs from the reset state | memory. `undefined` says what is not compared."""
    state, words = case.state, []
    for name, value in state.registers.items():
        if value != (ARENA + ARENA_SIZE // 2 if name == "rsp" else 0):
            words.append(f"{name}={value:#x}")
    for name in ("rflags", "fs_base", "gs_base"):
        if getattr(state, name):
            words.append(f"{name}={getattr(state, name):#x}")
    if state.mxcsr != 0x1F80:
        words.append(f"mxcsr={state.mxcsr:#x}")
    words += [f"xmm{n}={value:#x}" for n, value in enumerate(state.xmm) if value]
    words += [f"ymm{n}h={value:#x}" for n, value in enumerate(state.ymm_high) if value]
    if state.x87 != State().x87:
        words.append(f"x87={state.x87.hex()}")
    if case.mode != 64:
        words.append(f"mode={case.mode}")
    if case.guest:
        words.append(f"guest={case.guest}")
    if undefined:
        words.append(f"undefined={undefined:#x}")
    memory = [f"{address:#x}={data.hex()}" for address, data in case.memory.items()]
    return " | ".join((case.code.hex(), " ".join(words), " ".join(memory))).rstrip(" |")


def parse_case(line: str) -> tuple[Case, int]:
    """The case that a line of `show_case` describes, and what is not compared."""
    parts = [part.split() for part in line.split("|")] + [[], []]
    state = State({"rsp": ARENA + ARENA_SIZE // 2}, ENTRY)
    vectors, high, undefined, mode, named = [0] * 16, [0] * 16, 0, 64, ""
    for word in parts[1]:
        name, text = word.split("=")
        if name == "x87":
            state.x87 = bytes.fromhex(text)
        elif name.startswith("xmm"):
            vectors[int(name[3:])] = int(text, 0)
        elif name.startswith("ymm"):
            high[int(name[3:-1])] = int(text, 0)
        elif name == "undefined":
            undefined = int(text, 0)
        elif name == "mode":
            mode = int(text)
        elif name == "guest":
            named = text
        elif name in REGISTERS:
            state.registers[name] = int(text, 0)
        else:
            setattr(state, name, int(text, 0))
    state.xmm = vectors if any(vectors) else []
    state.ymm_high = high if any(high) else []
    memory = {int(a, 0): bytes.fromhex(d) for a, d in (word.split("=") for word in parts[2])}
    return Case(bytes.fromhex("".join(parts[0])), state, memory, ENTRY, mode, named), undefined
