"""Lua."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

SCRIPT = """
local turns, state, counts, parts = %d, 12345, {}, {}
local Point = {}; Point.__index = Point
function Point.new(x, y) return setmetatable({x = x, y = y}, Point) end
function Point:moved(x, y) return Point.new(self.x + x, self.y + y) end
local place = Point.new(0, 0.5)
for turn = 1, turns do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    place = place:moved(state & 7, 0.25)
    counts[state %% 1024] = (counts[state %% 1024] or 0) + 1
    if turn %% 8 == 0 then parts[#parts %% 100 + 1] = string.format("%%x", state):rep(2):reverse() end
end
local most = 0
for _, count in pairs(counts) do most = math.max(most, count) end
print(place.x, place.y, most, #table.concat(parts, ","))
"""

BENCHMARK = Program(
    "Lua: a loop of tables, methods and strings in a register machine.",
    group="interpreters",
    executables=("/usr/bin/lua5.4",),
    package="lua5.4",
    size=4_000_000,
    arguments=lambda inputs, size: ["-e", SCRIPT % size],
)
