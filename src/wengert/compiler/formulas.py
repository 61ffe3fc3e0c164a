"""Elementary functions as branch-free arithmetic on float64, written once for scalars and vectorised by LLVM.

Each function of `FORMULAS` takes an `Emitter` (a value that emits LLVM IR when one computes with it) and returns one.
The methods are the classical ones (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; for the
logarithm the series of the inverse hyperbolic tangent, as in Sun's fdlibm): reduce the argument to a small interval,
evaluate a minimax polynomial there (computed with Remez' algorithm), scale back. Extreme arguments are clamped to where
the result is constant or overflows on its own, so that no case needs a branch; NaN passes through every clamp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

_DOUBLE = ir.DoubleType()
_INT = ir.IntType(64)
_BOOL = ir.IntType(1)


class Emitter:
    """A float64 or int64 value inside a function under construction."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder = builder
        self.value = value

    def _lift(self, x: Emitter | float) -> Any:
        return x.value if isinstance(x, Emitter) else ir.Constant(self.value.type, x)

    def _emit(self, value: Any) -> Emitter:
        return Emitter(self.builder, value)

    def __add__(self, other: Emitter | float) -> Emitter:
        emit = self.builder.add if self.value.type == _INT else self.builder.fadd
        return self._emit(emit(self.value, self._lift(other)))

    def __sub__(self, other: Emitter | float) -> Emitter:
        emit = self.builder.sub if self.value.type == _INT else self.builder.fsub
        return self._emit(emit(self.value, self._lift(other)))

    def __rsub__(self, other: float) -> Emitter:
        emit = self.builder.sub if self.value.type == _INT else self.builder.fsub
        return self._emit(emit(self._lift(other), self.value))

    def __mul__(self, other: Emitter | float) -> Emitter:
        return self._emit(self.builder.fmul(self.value, self._lift(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: Emitter | float) -> Emitter:
        return self._emit(self.builder.fdiv(self.value, self._lift(other)))

    def __neg__(self) -> Emitter:
        return self._emit(self.builder.fneg(self.value))

    def __and__(self, mask: int) -> Emitter:
        return self._emit(self.builder.and_(self.value, self._lift(mask)))

    def __or__(self, mask: int) -> Emitter:
        return self._emit(self.builder.or_(self.value, self._lift(mask)))

    def __lshift__(self, count: int) -> Emitter:
        return self._emit(self.builder.shl(self.value, self._lift(count)))

    def __rshift__(self, count: int) -> Emitter:
        """Shift right, filling with zeros."""
        return self._emit(self.builder.lshr(self.value, self._lift(count)))

    def __lt__(self, other: Emitter | float) -> Emitter:
        return self._compare("<", other)

    def __gt__(self, other: Emitter | float) -> Emitter:
        return self._compare(">", other)

    def equals(self, other: float) -> Emitter:
        return self._compare("==", other)

    def _compare(self, relation: str, other: Emitter | float) -> Emitter:
        """False if either side is NaN."""
        return self._emit(self.builder.fcmp_ordered(relation, self.value, self._lift(other)))

    def where(self, condition: Emitter, otherwise: Emitter | float) -> Emitter:
        """Keep the value where the condition holds."""
        return self._emit(self.builder.select(condition.value, self.value, self._lift(otherwise)))

    def constant_where(self, condition: Emitter, constant: float) -> Emitter:
        """Put `constant` where the condition holds."""
        return self._emit(self.builder.select(condition.value, self._lift(constant), self.value))

    def below(self, bound: float) -> Emitter:
        """The smaller of this and the bound; NaN stays."""
        return self.constant_where(self > bound, bound)

    def above(self, bound: float) -> Emitter:
        """The larger of this and the bound; NaN stays."""
        return self.constant_where(self < bound, bound)

    @property
    def bits(self) -> Emitter:
        return self._emit(self.builder.bitcast(self.value, _INT))

    @property
    def number(self) -> Emitter:
        """The float64 that has these bits."""
        return self._emit(self.builder.bitcast(self.value, _DOUBLE))

    def fma(self, factor: Emitter | float, summand: Emitter | float) -> Emitter:
        """self·factor + summand with one rounding."""
        return self._intrinsic("llvm.fma", self.value, self._lift(factor), self._lift(summand))

    def copysign(self, sign: Emitter) -> Emitter:
        return self._intrinsic("llvm.copysign", self.value, sign.value)

    def __abs__(self) -> Emitter:
        return self._intrinsic("llvm.fabs", self.value)

    def _intrinsic(self, name: str, *args: Any) -> Emitter:
        type_ = ir.FunctionType(_DOUBLE, [_DOUBLE] * len(args))
        function = self.builder.module.declare_intrinsic(name, [_DOUBLE], type_)
        return self._emit(self.builder.call(function, args))

    def polynomial(self, coefficients: Sequence[float]) -> Emitter:
        """Σ coefficients[i]·selfⁱ by Horner's scheme."""
        result: Emitter | float = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            result = self.fma(result, c)
        assert isinstance(result, Emitter)
        return result


# Constants -----------------------------------------------------------------------------------------------------------


def _hex(text: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, text.split()))


_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
# ln 2 as a sum of two: to 106 bits; and with a first part of 32 bits, so that its product with an exponent is exact.
_LN2, _LN2_REST = _hex("0x1.62e42fefa39efp-1 0x1.abc9e3b39803fp-56")
_LN2_SHORT, _LN2_SHORT_REST = _hex("0x1.62e42fee00000p-1 0x1.a39ef35793c76p-33")
# (e^r − 1 − r)/r² for |r| ≤ ln(2)/2; relative error of e^r − 1: 3e-19, and with the shorter one of e^r: 7e-18.
_EXPM1 = _hex("""
    0x1.0000000000000p-1 0x1.5555555555559p-3 0x1.555555555555ap-5 0x1.111111110f67ep-7 0x1.6c16c16c143d1p-10
    0x1.a01a01affb098p-13 0x1.a01a01b0db7aep-16 0x1.71ddf816ad2aap-19 0x1.27e4c558205b7p-22 0x1.af5f32934dac8p-26
    0x1.1f95cd3a50706p-29""")
_EXP = _hex("""
    0x1.0000000000005p-1 0x1.555555555555cp-3 0x1.5555555552093p-5 0x1.111111110e68cp-7 0x1.6c16c17f51da8p-10
    0x1.a01a01b5f49f6p-13 0x1.a019a6320f7cbp-16 0x1.71dde9beb660ep-19 0x1.28a302b16e575p-22 0x1.af772629aa718p-26""")
# (2·artanh(s)/s − 2)/s² as a polynomial in s², for |s| ≤ (√2 − 1)/(√2 + 1); error 3e-18.
_LOG = _hex("""
    0x1.5555555555572p-1 0x1.9999999988881p-2 0x1.2492493b52c16p-2 0x1.c71c56d2e8d55p-3 0x1.74655a7c5a2e9p-3
    0x1.39b6f255972f6p-3 0x1.2e3e47bb8e1b6p-3""")
# Adding 3·2⁵¹ to a small number rounds it to an integer, which is then in the low bits.
_ROUND = 3.0 * 2.0**51
_EXPONENT = 1023
_ONE_BITS = 0x3FF0000000000000
_HALF_SQRT2_BITS = 0x3FE6A09E667F3BCD
_TWO52_BITS = 0x4330000000000000
_TINY = 2.0**-1022


def _round_to_ln2(x: Emitter) -> tuple[Emitter, Emitter, Emitter]:
    """Split x = n·ln 2 + r with |r| ≤ ln(2)/2; give a number whose low 12 bits are n + 2·`_EXPONENT`, n, and r."""
    shifted = x.fma(_LOG2_E, _ROUND + 2 * _EXPONENT)
    n = shifted - (_ROUND + 2 * _EXPONENT)
    return shifted, n, n.fma(-_LN2_REST, n.fma(-_LN2, x))


def exp(x: Emitter) -> Emitter:
    # Beyond the clamp the result is 0 or ∞ through the last multiplication.
    x = x.above(-746.0).below(710.0)
    shifted, _, r = _round_to_ln2(x)
    p = (r * r).fma(r.polynomial(_EXP), r) + 1.0
    # 2ⁿ in two factors, because n runs from −1076 to 1024; only the last product rounds, also when it is subnormal.
    m = shifted.bits & 0xFFF
    half = m >> 1
    return p * (half << 52).number * (m - half << 52).number


def _expm1_of_reduced(x: Emitter) -> tuple[Emitter, Emitter]:
    """2ⁿ⁻¹ and e^r − 1 for x = n·ln 2 + r, −51 < x < 710."""
    shifted, _, r = _round_to_ln2(x)
    scale = ((shifted.bits & 0xFFF) - (_EXPONENT + 1)) << 52
    return scale.number, (r * r).fma(r.polynomial(_EXPM1), r)


def expm1(x: Emitter) -> Emitter:
    # The clamp gives −1 and ∞. Half the result, doubled: 2ⁿ itself can be out of range.
    half, p = _expm1_of_reduced(x.above(-50.0).below(710.0))
    h = half.fma(p, half - 0.5)
    # Where it rounds to x it is x: keeps the sign of zero and subnormal numbers.
    return x.where(abs(x) < 1e-200, h + h)


def tanh(x: Emitter) -> Emitter:
    """(e²ˣ − 1)/(e²ˣ + 1) for |x|; 1 to the last bit from 20 on."""
    a = abs(x).below(20.0)
    half, p = _expm1_of_reduced(a + a)
    h = half.fma(p, half - 0.5)
    return x.where(abs(x) < 1e-200, (h / (h + 1.0)).copysign(x))


def _log_parts(u: Emitter) -> tuple[Emitter, Emitter, Emitter]:
    """The k, f and bits of 2^-k with u = 2ᵏ(1 + f), √½ ≤ 1 + f < √2."""
    offset = u.bits - _HALF_SQRT2_BITS
    f = ((offset & 0x000FFFFFFFFFFFFF) + _HALF_SQRT2_BITS).number - 1.0
    # k + 2048 is in the leading bits; as a float64 through the bits of 2⁵² + (k + 2048).
    biased = offset + (2048 << 52) >> 52
    k = (biased | _TWO52_BITS).number - (2.0**52 + 2048.0)
    return k, f, biased


def _log_of_parts(k: Emitter, f: Emitter, correction: Emitter | None = None) -> Emitter:
    """k·ln 2 + ln(1 + f) + correction, with ln(1 + f) = f − f²/2 + s·(f²/2 + R(s²)), s = f/(2 + f)."""
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    rest = k * _LN2_SHORT_REST if correction is None else k.fma(_LN2_SHORT_REST, correction)
    low = s.fma(half_square + z * z.polynomial(_LOG), rest)
    return k.fma(_LN2_SHORT, f - (half_square - low))


def _log_outside(result: Emitter, u: Emitter) -> Emitter:
    """Correct the logarithm of u where u is not positive and finite; +∞ and NaN are their own logarithms."""
    result = result.where(u < math.inf, u)
    return result.constant_where(u.equals(0.0), -math.inf).constant_where(u < 0.0, math.nan)


def log(x: Emitter) -> Emitter:
    subnormal = x < _TINY
    k, f, _ = _log_parts((x * 2.0**54).where(subnormal, x))
    return _log_outside(_log_of_parts((k - 54.0).where(subnormal, k), f), x)


def log1p(x: Emitter) -> Emitter:
    u = x + 1.0
    # What was lost in the sum: exactly, by the two-sum of Knuth. Relative to u it is added to the logarithm.
    back = u - x
    lost = (x - (u - back)) + (1.0 - back)
    k, f, biased = _log_parts(u)
    # lost/u = lost·2^-k/(1 + f), with 1/(1 + f) ≈ 1 − f + f², and 0 where u is so large that it does not count.
    scale = ((2048 + _EXPONENT) - biased << 52).number
    c = lost * scale * f.fma(f - 1.0, 1.0)
    c = c.where(x < 2.0**60, 0.0)
    return x.where(abs(x) < 1e-200, _log_outside(_log_of_parts(k, f, c), u))


FORMULAS: dict[str, Callable[[Emitter], Emitter]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "tanh": tanh,
}
