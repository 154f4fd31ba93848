"""The benchmark harness: kernels, start-up measurements, and comparisons with native and other emulators."""
