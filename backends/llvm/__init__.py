"""The LLVM backend: IR to host code, its loader, and the native runtime."""
