"""From a Python function to one native function.

The modules in the order in which a program passes through them: `record`, `simplify`, `fuse`, `generate`, `runtime`;
`jit` ties them together.
"""
