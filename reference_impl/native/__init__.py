"""A decode step and attention written in C++, compiled on the machine that runs them: what Python can't do without an
overhead per operation. `decode.cpp`, `attention.cpp` and `weights.hpp` are the kernels, `build.py` compiles them,
`matrix.py` tells them about weights, `attention.py` calls one and `inference/native_decoder.py` the other. Without a
compiler everything works as before, through torch's operations."""
