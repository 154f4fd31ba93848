"""The directory tree: mkdir(2), rename(2), unlink(2), chmod(2), chdir(2), getdents64(2).

The sysroot is for looking things up, not for changing them.
"""

from __future__ import annotations

from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, passthrough

passthrough("mkdir", IN, VALUE)
passthrough("mkdirat", VALUE, IN, VALUE)
passthrough("rmdir", IN)
passthrough("unlink", IN)
passthrough("unlinkat", VALUE, IN, VALUE)
passthrough("rename", IN, IN)
passthrough("renameat", VALUE, IN, VALUE, IN)
passthrough("renameat2", VALUE, IN, VALUE, IN, VALUE)
passthrough("link", IN, IN)
passthrough("linkat", VALUE, IN, VALUE, IN, VALUE)
passthrough("symlink", IN, IN)
passthrough("symlinkat", IN, VALUE, IN)
passthrough("mknod", IN, VALUE, VALUE)
passthrough("mknodat", VALUE, IN, VALUE, VALUE)
passthrough("truncate", IN, VALUE)
passthrough("chmod", IN, VALUE)
passthrough("fchmod", VALUE, VALUE)
passthrough("fchmodat", VALUE, IN, VALUE)
passthrough("chown", IN, VALUE, VALUE)
passthrough("lchown", IN, VALUE, VALUE)
passthrough("fchown", VALUE, VALUE, VALUE)
passthrough("fchownat", VALUE, IN, VALUE, VALUE, VALUE)
passthrough("utime", IN, IN)
passthrough("utimes", IN, IN)
passthrough("futimesat", VALUE, IN, IN)
passthrough("utimensat", VALUE, IN, IN, VALUE)
passthrough("chdir", IN)
passthrough("fchdir", VALUE)
passthrough("getcwd", OUT, SIZE)
passthrough("umask", VALUE)
passthrough("getdents", VALUE, OUT, SIZE)
passthrough("getdents64", VALUE, OUT, SIZE)
