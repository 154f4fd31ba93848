"""What runs the IR: the Python reference interpreter and host code made by LLVM."""
