"""A decode step written in C++, compiled on the machine that runs it: what Python can't do without an overhead per
operation. `decode.cpp` and `weights.hpp` are the kernel, `build.py` compiles it, `matrix.py` tells it about weights,
`decoder.py` runs it. Without a compiler everything works as before, through torch's operations."""
