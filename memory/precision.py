"""Which precision a device multiplies in, asked of PyTorch: bfloat16 pays where it is built in."""

import platform

import torch

SLOWDOWN = "about ten times"
"""How much slower training in bfloat16 is on a processor without it, where PyTorch converts every operand.

Measured on one core of an AVX2 processor, PyTorch 2.13: the first 500 mazes of configs/mazes_delta_small.yaml
take 53.6 s of processor time with `autocast: bfloat16`, 4.8 s with `autocast: null`:
`OMP_NUM_THREADS=1 python benchmarks/precision.py mazes_delta_small --problems 500`.
"""


def has_bfloat16(kind: str) -> bool:
    """Whether the hardware of this process has arithmetic in bfloat16; False where PyTorch cannot tell.

    Args:
        kind: `cpu` or `cuda`.
    """
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return _says_yes(getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None))
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # oneDNN runs on fewer, but slowly
    return any(_says_yes(getattr(torch.cpu, name, None)) for name in names)


def _says_yes(question: object) -> bool:
    """The answer of a function that not every version and build of PyTorch has."""
    return callable(question) and bool(question())
