"""What guest code runs on: a Linux user-mode process, later boards and devices."""
