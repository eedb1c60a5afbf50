"""What this machine's processor can do."""

from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
INT8_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}  # as Linux names them, of x86 and ARM


@cache
def multiplies_int8() -> bool:
    """Whether it adds products of int8 in 32 bits.

    Others are no faster with int8 than with float32, and those with AVX2 alone add pairs in 16 bits, which overflow.
    """
    return CPUINFO.is_file() and not INT8_PRODUCTS.isdisjoint(CPUINFO.read_text().split())
