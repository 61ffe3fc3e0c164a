"""From a Python function to one native function.

The modules in the order in which a program passes through them: `record`, `simplify` and `expand`, `handles`, `unroll`
for small programs, `plan` and `schedule` for all others, `generate`, `native`; `jit` ties them together.
"""
