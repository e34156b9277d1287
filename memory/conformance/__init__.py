"""Checks of the contract of a core, one by one: shapes, single steps, resets, lanes, gradients, checkpoints.

For any `Core`, your own included, in the spirit of Gymnasium's environment checker:

    for finding in check_core(MyCore(16, MyOptions())):
        print(finding)
"""

from engram.memory.conformance.checker import Finding, check_core
from engram.memory.conformance.fixture import float64_copy

__all__ = ["Finding", "check_core", "float64_copy"]
