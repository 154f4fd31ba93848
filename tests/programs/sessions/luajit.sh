# A compiler of its own inside the program: hot loops, calls of C functions, and from C back.
# needs: luajit
cat > program.lua <<'END'
local t = {}
for i = 1, 50000 do t[i] = (i * 7919) % 10007 end
table.sort(t)
local s = 0
for i = 1, #t do s = (s * 31 + t[i]) % 1000000007 end
print(s)
local ffi = require 'ffi'
ffi.cdef [[ double sin(double); void qsort(void *, size_t, size_t, int (*)(const int *, const int *)); ]]
local a = ffi.new('int[?]', 100)
for i = 0, 99 do a[i] = (i * 37) % 101 end
ffi.C.qsort(a, 100, 4, ffi.cast('int (*)(const int *, const int *)', function(x, y) return x[0] - y[0] end))
print(a[0], a[50], a[99])
local x = 0
for i = 1, 1e6 do x = x + ffi.C.sin(i) * i end
print(x)
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(24))
print(pcall(error, 'told'), jit.status())
END
luajit program.lua
