"""Loops and branches whose derivatives are loops and branches.

Called with plain or differentiated values these functions are Python's own loops and branches. While a program is being
recorded (under `jit`), they record one operation that holds the program of an iteration or a case, so that the size of
a program, and the time to compile it, do not depend on the number of iterations.

`staging` has what both share, `loops` and `branches` the functions.
"""

from wengert.control.branches import cond, switch
from wengert.control.loops import fixed_point, for_loop, map, scan, while_loop  # noqa: A004 - the names of JAX

__all__ = ["cond", "fixed_point", "for_loop", "map", "scan", "switch", "while_loop"]
