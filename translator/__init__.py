"""From guest machine code to IR: patterns, decoders, lifting, regions and tiering; one folder a guest."""
