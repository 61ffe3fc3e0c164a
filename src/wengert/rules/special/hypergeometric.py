"""Hypergeometric functions and those that solve a linear differential equation of second order.

The derivatives of hypergeometric functions are hypergeometric functions (DLMF 13.3, 15.5, 16.3); of the parabolic
cylinder, Mathieu and spheroidal wave functions SciPy has the slope, and the equation gives the rest (DLMF 12.2, 28.2,
28.20, 30.2). Nobody has derivatives in the parameters.
"""

from __future__ import annotations

import math
from typing import Any

from wengert.rules.elementwise import cos, cosh, exp, square
from wengert.rules.special.common import in_double, in_last, sp, with_slope, without_rule

_DEGREE = math.pi / 180
_PARAMETERS = ("its first parameter", "its second parameter", "its third parameter")

hyp0f1 = in_last(sp.hyp0f1, lambda x, y: hyp0f1(x + 1, y) / x, "its parameter")
hyp1f1 = in_last(sp.hyp1f1, lambda x, y, z: x / y * hyp1f1(x + 1, y + 1, z), *_PARAMETERS[:2])
hyp2f1 = in_last(sp.hyp2f1, lambda x, y, z, w: x * y / z * hyp2f1(x + 1, y + 1, z + 1, w), *_PARAMETERS)
hyperu = in_last(sp.hyperu, lambda x, y, z: -x * hyperu(x + 1, y + 1, z), *_PARAMETERS[:2])
wright_bessel = in_last(sp.wright_bessel, lambda x, y, z: wright_bessel(x, x + y, z), *_PARAMETERS[:2])
log_wright_bessel = in_last(
    sp.log_wright_bessel, lambda out, x, y, z: exp(log_wright_bessel(x, x + y, z) - out), *_PARAMETERS[:2]
)

# Parabolic cylinder functions
pbdv, pbdv_slope = with_slope(sp.pbdv, lambda f, df, v, x: (0.25 * square(x) - v - 0.5) * f, "its order")
pbvv, pbvv_slope = with_slope(sp.pbvv, lambda f, df, v, x: (0.25 * square(x) - v - 0.5) * f, "its order")
pbwa, pbwa_slope = with_slope(sp.pbwa, lambda f, df, a, x: (a - 0.25 * square(x)) * f, "its parameter")

# Mathieu functions: angles in degrees, slopes per radian
mathieu_a = without_rule(sp.mathieu_a)
mathieu_b = without_rule(sp.mathieu_b)
_ORDERS = ("its order", "the parameter q")


def _mathieu(characteristic: Any, hyperbolic: bool) -> Any:
    if hyperbolic:
        return lambda f, df, m, q, x: (characteristic(m, q) - 2 * q * cosh(2 * x)) * f
    return lambda f, df, m, q, x: (2 * q * cos(2 * _DEGREE * x) - characteristic(m, q)) * f


mathieu_cem, mathieu_cem_slope = with_slope(sp.mathieu_cem, _mathieu(mathieu_a, False), *_ORDERS, unit=_DEGREE)
mathieu_sem, mathieu_sem_slope = with_slope(sp.mathieu_sem, _mathieu(mathieu_b, False), *_ORDERS, unit=_DEGREE)
mathieu_modcem1, mathieu_modcem1_slope = with_slope(sp.mathieu_modcem1, _mathieu(mathieu_a, True), *_ORDERS)
mathieu_modcem2, mathieu_modcem2_slope = with_slope(sp.mathieu_modcem2, _mathieu(mathieu_a, True), *_ORDERS)
mathieu_modsem1, mathieu_modsem1_slope = with_slope(sp.mathieu_modsem1, _mathieu(mathieu_b, True), *_ORDERS)
mathieu_modsem2, mathieu_modsem2_slope = with_slope(sp.mathieu_modsem2, _mathieu(mathieu_b, True), *_ORDERS)

# Spheroidal wave functions: c² is negative for oblate ones, whose radial argument is imaginary.
pro_cv = without_rule(in_double(sp.pro_cv))
obl_cv = without_rule(in_double(sp.obl_cv))
_MODES = ("its first order", "its second order", "the parameter c")


def _spheroidal(f: Any, df: Any, m: Any, c2: Any, value: Any, x: Any) -> Any:
    w = 1 - square(x)
    return (2 * x * df - (value - c2 * square(x) - m * m / w) * f) / w


def _oblate_radial(f: Any, df: Any, m: Any, c2: Any, value: Any, x: Any) -> Any:
    w = 1 + square(x)
    return ((value - c2 * square(x) - m * m / w) * f - 2 * x * df) / w


def _prolate(f: Any, df: Any, m: Any, n: Any, c: Any, x: Any) -> Any:
    return _spheroidal(f, df, m, c * c, pro_cv(m, n, c), x)


def _prolate_cv(f: Any, df: Any, m: Any, n: Any, c: Any, value: Any, x: Any) -> Any:
    return _spheroidal(f, df, m, c * c, value, x)


pro_ang1, pro_ang1_slope = with_slope(in_double(sp.pro_ang1), _prolate, *_MODES)
pro_rad1, pro_rad1_slope = with_slope(in_double(sp.pro_rad1), _prolate, *_MODES)
pro_rad2, pro_rad2_slope = with_slope(in_double(sp.pro_rad2), _prolate, *_MODES)
_MODES_CV = (*_MODES, "the characteristic value")
pro_ang1_cv, pro_ang1_cv_slope = with_slope(in_double(sp.pro_ang1_cv), _prolate_cv, *_MODES_CV)
pro_rad1_cv, pro_rad1_cv_slope = with_slope(in_double(sp.pro_rad1_cv), _prolate_cv, *_MODES_CV)
pro_rad2_cv, pro_rad2_cv_slope = with_slope(in_double(sp.pro_rad2_cv), _prolate_cv, *_MODES_CV)


def _oblate(f: Any, df: Any, m: Any, n: Any, c: Any, x: Any) -> Any:
    return _oblate_radial(f, df, m, c * c, obl_cv(m, n, c), x)


def _oblate_cv(f: Any, df: Any, m: Any, n: Any, c: Any, value: Any, x: Any) -> Any:
    return _oblate_radial(f, df, m, c * c, value, x)


obl_ang1, obl_ang1_slope = with_slope(
    in_double(sp.obl_ang1), lambda f, df, m, n, c, x: _spheroidal(f, df, m, -c * c, obl_cv(m, n, c), x), *_MODES
)
obl_ang1_cv, obl_ang1_cv_slope = with_slope(
    in_double(sp.obl_ang1_cv), lambda f, df, m, n, c, value, x: _spheroidal(f, df, m, -c * c, value, x), *_MODES_CV
)
obl_rad1, obl_rad1_slope = with_slope(in_double(sp.obl_rad1), _oblate, *_MODES)
obl_rad2, obl_rad2_slope = with_slope(in_double(sp.obl_rad2), _oblate, *_MODES)
obl_rad1_cv, obl_rad1_cv_slope = with_slope(in_double(sp.obl_rad1_cv), _oblate_cv, *_MODES_CV)
obl_rad2_cv, obl_rad2_cv_slope = with_slope(in_double(sp.obl_rad2_cv), _oblate_cv, *_MODES_CV)
