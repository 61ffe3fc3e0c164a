"""Functions of `scipy.special` that have no derivative rule, and why; they take plain numbers.

`REASONS` has every public function that is not implemented in this package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from wengert import array as arrays
from wengert.array import unwrap
from wengert.errors import UnsupportedOperationError, fail
from wengert.numpy.dispatch import has_traced

_COUNTS = "it counts, with whole numbers"
_ZEROS = "its arguments are whole numbers, its results the zeros of a function"
_NODES = "it makes the nodes and weights of a quadrature rule; SciPy has no derivatives of those in the parameters"
_POLYNOMIAL = "it makes a polynomial, whose value at x has a derivative in x: call it on x, or use eval_{0}"
_TABLE = "it makes a table of all orders for one plain number. Use {0}, which takes arrays, for each of them"
_UNKNOWN = "neither SciPy nor the literature has its derivatives in closed form"

#: Function -> why it has no derivative.
REASONS: dict[str, str] = {
    **dict.fromkeys(("bernoulli", "euler", "factorial2", "factorialk", "stirling2"), _COUNTS),
    **dict.fromkeys(
        (
            *("ai_zeros", "bi_zeros", "bei_zeros", "beip_zeros", "ber_zeros", "berp_zeros", "kei_zeros", "keip_zeros"),
            *("ker_zeros", "kerp_zeros", "kelvin_zeros", "erf_zeros", "fresnel_zeros", "fresnelc_zeros"),
            *("fresnels_zeros", "jn_zeros", "jnjnp_zeros", "jnp_zeros", "jnyn_zeros", "y0_zeros", "y1_zeros"),
            *("y1p_zeros", "yn_zeros", "ynp_zeros"),
        ),
        _ZEROS,
    ),
    **dict.fromkeys(
        (
            *("roots_chebyc", "roots_chebys", "roots_chebyt", "roots_chebyu", "roots_gegenbauer", "roots_genlaguerre"),
            *("roots_hermite", "roots_hermitenorm", "roots_jacobi", "roots_laguerre", "roots_legendre"),
            *("roots_sh_chebyt", "roots_sh_chebyu", "roots_sh_jacobi", "roots_sh_legendre"),
            *("c_roots", "cg_roots", "h_roots", "he_roots", "j_roots", "js_roots", "l_roots", "la_roots", "p_roots"),
            *("ps_roots", "s_roots", "t_roots", "ts_roots", "u_roots", "us_roots"),
        ),
        _NODES,
    ),
    **{
        name: _POLYNOMIAL.format(name)
        for name in (
            *("chebyc", "chebys", "chebyt", "chebyu", "gegenbauer", "genlaguerre", "hermite", "hermitenorm", "jacobi"),
            *("laguerre", "legendre", "sh_chebyt", "sh_chebyu", "sh_jacobi", "sh_legendre"),
        )
    },
    **{
        name: _TABLE.format(instead)
        for name, instead in {
            "assoc_legendre_p_all": "assoc_legendre_p",
            "legendre_p_all": "eval_legendre",
            "lmbda": "jv(v, x)·gamma(v + 1)·(x/2)**-v",
            "obl_cv_seq": "obl_cv",
            "pbdn_seq": "pbdv",
            "pbdv_seq": "pbdv",
            "pbvv_seq": "pbvv",
            "pro_cv_seq": "pro_cv",
            "riccati_jn": "x·spherical_jn(n, x)",
            "riccati_yn": "x·spherical_yn(n, x)",
            "sph_harm_y_all": "sph_harm_y",
            "sph_legendre_p_all": "sph_legendre_p",
        }.items()
    },
    "lqn": "it makes a table of all degrees for one plain number, of functions that SciPy does not have by themselves",
    "lqmn": "it makes a table of all degrees for one plain number, of functions that SciPy does not have by themselves",
    "mathieu_even_coef": "it makes a table of Fourier coefficients; their derivatives in q have no closed form",
    "mathieu_odd_coef": "it makes a table of Fourier coefficients; their derivatives in q have no closed form",
    "ellip_harm": _UNKNOWN,
    "ellip_harm_2": _UNKNOWN,
    "ellip_normal": _UNKNOWN,
}


@functools.cache
def refusing(name: str) -> Callable[..., Any]:
    """SciPy's function, which says why it does not take traced arguments."""
    function = getattr(scipy.special, name)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not has_traced(args, kwargs):
            return function(*args, **kwargs)
        if arrays.any_traced((args, kwargs)):
            fail(
                UnsupportedOperationError,
                f"scipy.special.{name} has no derivative rule: {REASONS[name]}. Where its derivative is not wanted, "
                "pass plain numbers (wengert.stop_gradient).",
            )
        return function(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})

    return call


def _plain(x: Any) -> Any:
    return np.asarray(unwrap(x))[()] if has_traced((x,), {}) else x
