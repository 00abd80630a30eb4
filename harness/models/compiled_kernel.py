"""The compiled kernel of the reference, for who plans, runs and examines: which one a process uses, and why none."""

from reference_impl.native.build import kernel_in_use, native_library, planned_kernel

__all__ = ["described", "kernel_in_use", "planned_kernel"]


def described() -> str:
    """Where this machine's kernel lies, or why there is none. Compiles it, if that has not been done yet."""
    native = native_library()
    if native.library is None:
        return f"none ({native.reason}): the reference decodes through torch, several times as slowly"
    return native.reason
