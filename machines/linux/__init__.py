"""A Linux process as a machine: the program is the guest's, the kernel's side of its system calls is here."""

from __future__ import annotations

from metaphrase.machines.linux.cpu import Cpu, Exit
from metaphrase.machines.linux.errors import GuestFault, LoadError, WindowError
from metaphrase.machines.linux.loader import identify
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.process import LinuxProcess

__all__ = ["Cpu", "Exit", "GuestFault", "LinuxProcess", "LoadError", "Window", "WindowError", "identify"]
