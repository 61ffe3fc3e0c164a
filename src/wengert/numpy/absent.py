"""The public names of NumPy that `wengert.numpy` does not have, and why."""

ABSENT: dict[str, str] = {
    "asmatrix": "matrices whose * is a product are not supported; use arrays, and @ for products",
    "bmat": "matrices whose * is a product are not supported; use block, and @ for products",
    "broadcast": "it walks over plain arrays; use broadcast_shapes or broadcast_arrays",
    "complex256": "it exists on some platforms only; use clongdouble",
    "core": "it is internal to NumPy",
    "f2py": "it compiles Fortran, of which no derivatives are known",
    "float128": "it exists on some platforms only; use longdouble",
    "frompyfunc": "it makes arrays of Python objects; use vectorize",
    "matrix": "matrices whose * is a product are not supported; use arrays, and @ for products",
    "row_stack": "NumPy deprecates it; use vstack",
    "test": "it tests NumPy",
}
