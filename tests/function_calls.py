"""A sample call of every public function of numpy, numpy.linalg, numpy.fft and scipy.special, for `docs/coverage.md`.

Functions of NumPy are called as in `namespace_calls`; what is not there is in the table below. Arguments of the ufuncs
of SciPy are found by trying numbers, except where the table gives some. All floating-point arrays among the arguments
are differentiated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

import wengert.numpy as wnp
from wengert.scipy import special as wengert_special

from .namespace_calls import CALLS, QUESTIONS, Call

_rng = np.random.default_rng(8)
_M = _rng.normal(size=(3, 3))
ARRAYS: dict[str, Any] = {
    "x": _rng.normal(size=(2, 3)),
    "y": _rng.normal(size=(2, 3)) + 2.0,
    "v": np.array([0.3, 1.7, 0.9, 2.6, 1.1]),
    "w": np.array([1.2, 0.5, 2.1, 0.8, 1.6]),
    "t": np.array([0.6, 1.3, 2.2]),
    "a": np.float64(0.7),
    "u": np.array([0.25, 0.6]),
    "m": _M + 3 * np.eye(3),
    "s": _M @ _M.T + np.diag([1.0, 2.0, 4.0]),
    "k": _rng.normal(size=(4, 6, 8, 3))[:, :, 0, 0][:3, :3] + 2 * np.eye(3),
    "q": _rng.normal(size=(2, 3, 6)),
    "z": _rng.normal(size=(2, 3)) + 1j * _rng.normal(size=(2, 3)),
    "c": _rng.normal(size=3) + 1j * _rng.normal(size=3),
    "h": (lambda z: z + z.conj().T + 4 * np.eye(3))(_rng.normal(size=(3, 3)) + 1j * _rng.normal(size=(3, 3))),
}

#: Expressions over these arrays, by namespace. Of several calls of one function each counts.
TABLE = {
    "numpy": """
        apply_over_axes(lambda b, axis: b.sum(axis, keepdims=True), x, [0, 1]) | kaiser(5, a) | asarray_chkfinite(x)
        einsum_path("ij,kj", x, y) | histogram(v, 3) | histogram(v, 3, weights=w) | histogram2d(v, w, 2)
        histogramdd(q[0], 2) | histogram_bin_edges(v, 3) | i0(v) | intersect1d(v, v[1:]) | union1d(v, w)
        setdiff1d(v, w) | setxor1d(v, w) | trim_zeros(v) | poly(v) | polyadd(v, t) | polysub(v, t) | polymul(v, t)
        polydiv(v, t) | polyder(v) | polyint(v) | polyfit(v, w, 2) | roots(t) | tril_indices_from(x)
        triu_indices_from(x) | sort_complex(z) | vecmat(t, m) | matvec(m, t) | require(x) | diag_indices_from(m)
        isfortran(x) | iterable(x) | isscalar(a) | min_scalar_type(a) | broadcast_shapes((2, 1), (3,))
        bitwise_count(np.array([3, 7])) | unpackbits(np.array([3], np.uint8)) | packbits(np.array([1, 0, 1]))
        ix_([0, 1], [2]) | isnat(np.datetime64("NaT")) | unravel_index(3, (2, 3)) | ravel_multi_index((1, 2), (2, 3))
        tril_indices(3) | triu_indices(3) | diag_indices(3) | mask_indices(3, np.triu)
        histogram(v, bins=w[:3] * [0.1, 1.0, 2.0])
    """,
    "numpy.linalg": """
        matrix_power(m, 3) | solve(m, t) | tensorsolve(q.reshape(2, 3, 6), x) | tensorinv(q.reshape(6, 2, 3), 1)
        inv(m) | cholesky(s) | eigvals(k) | eigvalsh(s) | pinv(x) | slogdet(m) | det(m) | svd(x, full_matrices=False)
        svdvals(x) | eig(k) | eigh(s) | lstsq(y, u) | norm(x) | qr(m) | cond(m) | matrix_rank(m) | multi_dot([x, m, t])
        trace(m) | diagonal(m) | cross(x, y) | outer(t, u) | tensordot(x, m, axes=1) | matmul(x, m)
        matrix_transpose(x) | matrix_norm(x) | vector_norm(x) | vecdot(x, y)
    """,
    "numpy.fft": """
        fft(v) | ifft(v) | rfft(v) | irfft(c) | hfft(c) | ihfft(v) | fft2(x) | ifft2(x) | rfft2(x) | irfft2(z)
        fftn(x) | ifftn(x) | rfftn(x) | irfftn(z) | fftshift(v) | ifftshift(v) | fftfreq(4) | rfftfreq(4)
    """,
    "scipy.special": """
        roots_jacobi(3, a, a) | roots_genlaguerre(3, a) | roots_gegenbauer(3, a) | roots_sh_jacobi(3, a + 1.0, a)
        js_roots(3, a + 1.0, a) | j_roots(3, a, a) | la_roots(3, a) | cg_roots(3, a) | jacobi(2, a, a)
        genlaguerre(2, a) | gegenbauer(2, a) | sh_jacobi(2, a + 1.0, a) | assoc_laguerre(u, 2, 1) | comb(v, u[0])
        diric(v, 5) | h1vp(1, v) | h2vp(1, v) | ivp(1, v) | jvp(1, v) | kvp(1, v) | yvp(1, v) | lqmn(1, 2, a)
        lqn(2, a) | lmbda(1, a) | mathieu_even_coef(1, a) | mathieu_odd_coef(1, a) | obl_cv_seq(1, 2, a)
        pro_cv_seq(1, 2, a) | pbdn_seq(2, a) | pbdv_seq(1.5, a) | pbvv_seq(1.5, a) | riccati_jn(2, a)
        riccati_yn(2, a) | polygamma(1, v) | sinc(v) | softplus(v) | zeta(v + 1.5, w) | zeta(v + 1.5)
        assoc_legendre_p(2, 1, u) | assoc_legendre_p_all(2, 1, u) | legendre_p(2, u) | legendre_p_all(2, u)
        sph_harm_y(2, 1, u, v[:2]) | sph_harm_y_all(2, 1, u, v[:2]) | sph_legendre_p(2, 1, u)
        sph_legendre_p_all(2, 1, u) | logsumexp(x) | softmax(x) | log_softmax(x) | multigammaln(v + 1.0, 2)
        ellip_harm(5.0, 8.0, 1, 1, v + 2.0) | ellip_harm_2(5.0, 8.0, 2, 1, 10.0 * a + 5.0)
        ellip_normal(5.0, 8.0, 2, 1) | lambertw(v) | spherical_jn(2, v) | spherical_yn(2, v) | spherical_in(2, v)
        spherical_kn(2, v) | factorial(v) | perm(v + 2.0, u[0]) | binom(v + 3.0, w) | huber(w[:3], t) | entr(v)
        rel_entr(v, w) | kl_div(v, w) | pseudo_huber(w, v) | stdtr(v, w) | stdtrit(v, u[:1]) | ndtri(u) | erfinv(u)
        erfcinv(u) | logit(u) | ellipj(v, u[0]) | voigt_profile(v, w, v) | boxcox(v, w) | betainc(v, w, u[0])
        betaincinv(v, w, u[0]) | bdtr(2.0, 5, u) | bdtrc(2.0, 5, u) | bdtri(2.0, 5, u) | nbdtr(2, 5, u)
        nbdtrc(2, 5, u) | nbdtri(2, 5, u) | pdtr(2.0, v) | pdtrc(2.0, v) | smirnov(3, u) | smirnovi(3, u)
        kolmogorov(v) | kolmogi(u) | owens_t(v, w) | exp1(v) | expi(v) | expn(2, v) | gammainc(v, w) | gammaincc(v, w)
        gammaincinv(v, u[0]) | gammainccinv(v, u[0]) | hyp2f1(v, w, v + w, u[0]) | wofz(c) | hankel1(1.0, c)
        hankel2(1.0, c) | hankel1e(1.0, c) | hankel2e(1.0, c) | gammasgn(v) | round(v) | cotdg(v) | radian(v, w, v)
        lpmv(1.0, 2.0, u) | xlogy(v, w) | mathieu_a(2.0, a) | mathieu_b(2.0, a) | mathieu_modcem1(2.0, a, v)
        mathieu_modcem2(2.0, a, v) | mathieu_modsem1(2.0, a, v) | mathieu_modsem2(2.0, a, v) | obl_ang1(1.0, 2.0, a, u)
        obl_ang1_cv(1.0, 2.0, 0.7, scipy.special.obl_cv(1.0, 2.0, 0.7), u) | obl_cv(1.0, 2.0, a)
        obl_rad1(1.0, 2.0, a, u) | obl_rad1_cv(1.0, 2.0, 0.7, scipy.special.obl_cv(1.0, 2.0, 0.7), u)
        obl_rad2(1.0, 2.0, a, u + 3.0) | obl_rad2_cv(1.0, 2.0, 0.7, scipy.special.obl_cv(1.0, 2.0, 0.7), u + 3.0)
        pro_ang1(1.0, 2.0, a, u) | pro_ang1_cv(1.0, 2.0, 0.7, scipy.special.pro_cv(1.0, 2.0, 0.7), u)
        pro_cv(1.0, 2.0, a) | pro_rad1(1.0, 2.0, a, u + 1.0)
        pro_rad1_cv(1.0, 2.0, 0.7, scipy.special.pro_cv(1.0, 2.0, 0.7), u + 1.0) | pro_rad2(1.0, 2.0, a, u + 3.0)
        pro_rad2_cv(1.0, 2.0, 0.7, scipy.special.pro_cv(1.0, 2.0, 0.7), u + 3.0) | mathieu_cem(2.0, a, v)
        mathieu_sem(2.0, a, v) | chdtri(v, u[0]) | fdtri(v, w, u[0]) | ndtri_exp(-v)
    """,
}

#: Functions that SciPy computes to these relative errors only, so that differences say less.
NOISY = {"ncfdtrinc": 1e-4}

#: Functions without anything to differentiate: they take or return no numbers, or have side effects only.
NOTHING = {
    "numpy": """
        base_repr binary_repr bmat busday_count busday_offset datetime_as_string datetime_data format_float_positional
        format_float_scientific frompyfunc fromregex genfromtxt get_include get_printoptions getbufsize geterr
        geterrcall info is_busday isdtype issubdtype load loadtxt mintypecode nested_iters printoptions promote_types
        save savetxt savez savez_compressed set_printoptions setbufsize seterr seterrcall show_config show_runtime test
        typename asmatrix bartlett blackman hamming hanning fromfile fromstring row_stack memmap recfromcsv result_type
        can_cast array2string array_repr array_str
    """,
    "numpy.linalg": "",
    "numpy.fft": "",
    "scipy.special": """
        geterr seterr bernoulli euler factorial2 factorialk stirling2 erf_zeros fresnel_zeros fresnelc_zeros
        fresnels_zeros ai_zeros bi_zeros bei_zeros beip_zeros ber_zeros berp_zeros kei_zeros keip_zeros ker_zeros
        kerp_zeros kelvin_zeros jn_zeros jnp_zeros jnjnp_zeros jnyn_zeros yn_zeros ynp_zeros y0_zeros y1_zeros
        y1p_zeros legendre chebyt chebyu chebyc chebys laguerre hermite hermitenorm sh_legendre sh_chebyt sh_chebyu
        roots_legendre roots_chebyt roots_chebyu roots_chebyc roots_chebys roots_laguerre roots_hermite
        roots_hermitenorm roots_sh_legendre roots_sh_chebyt roots_sh_chebyu p_roots t_roots u_roots c_roots s_roots
        l_roots h_roots he_roots ps_roots ts_roots us_roots ellip_normal
    """,
}
MODULES: dict[str, tuple[Any, Any]] = {
    "numpy": (np, wnp),
    "numpy.linalg": (np.linalg, wnp.linalg),
    "numpy.fft": (np.fft, wnp.fft),
    "scipy.special": (scipy.special, wengert_special),
}


class _Namespace:
    """Our functions, and NumPy's or SciPy's own where there is none of ours."""

    def __init__(self, theirs: Any, ours: Any) -> None:
        self._both = ours, theirs

    def __getattr__(self, name: str) -> Any:
        ours, theirs = self._both
        return getattr(ours, name, None) or getattr(theirs, name)


@dataclass(frozen=True)
class Trial:
    """One call as a function of what is differentiated; ``run(theirs, *active)`` calls it."""

    text: str
    run: Callable[..., Any]
    active: tuple[Any, ...]
    smooth: bool = True
    vmap: bool = True


def functions(module: str) -> list[str]:
    """The public functions of a module."""
    theirs = MODULES[module][0]
    names = [n for n in theirs.__all__ if callable(getattr(theirs, n)) and not isinstance(getattr(theirs, n), type)]
    return sorted(n for n in names if not n.startswith("_"))


def namespaces(module: str) -> tuple[Any, Any]:
    """Theirs, and ours."""
    theirs, ours = MODULES[module]
    return theirs, _Namespace(theirs, ours)


def trials(module: str) -> dict[str, list[Trial]]:
    """All calls, by function."""
    found: dict[str, list[Trial]] = {}
    calls = [c for line in TABLE[module].strip().splitlines() for c in line.strip().split(" | ")]
    for call in calls:
        found.setdefault(call[: call.index("(")], []).append(_expression(call))
    if module == "numpy":
        for call in (*CALLS, *QUESTIONS):
            if "." not in call.name:
                found.setdefault(call.name, []).append(_of_call(call))
    if module == "scipy.special":
        for name in functions(module):
            ufunc = getattr(scipy.special, name)
            if isinstance(ufunc, np.ufunc) and name not in found:
                found[name] = list(_of_ufunc(name, ufunc))
    return found


def _of_call(call: Call) -> Trial:
    return Trial(call.name, call, tuple(call.args[i] for i in call.active), call.smooth, call.vmap)


def _expression(text: str) -> Trial:
    code = compile(f"_.{text}", text, "eval")
    names = [n for n in code.co_names if n in ARRAYS]
    for constant in code.co_consts:  # names inside lambdas
        names += [n for n in getattr(constant, "co_names", ()) if n in ARRAYS and n not in names]

    def run(namespace: Any, *active: Any) -> Any:
        return eval(code, {"_": namespace, "np": np, "scipy": scipy, **dict(zip(names, active, strict=True))})

    return Trial(text, run, tuple(ARRAYS[n] for n in names))


_NUMBERS = (0.4, 1.3, 2.0, 0.7, 3.0, 5.0)


def _of_ufunc(name: str, ufunc: np.ufunc) -> Iterator[Trial]:
    """A call of a ufunc at numbers for which it is finite, not constant, and smooth as far as two steps can tell."""
    inputs = [t.split("->")[0] for t in ufunc.types]
    orders = [any(t[k] in "lip" for t in inputs) for k in range(ufunc.nin)]
    complex_only = [all(t[k] in "FDG" for t in inputs) for k in range(ufunc.nin)]
    choices = [(2, 1, 3) if order else _NUMBERS for order in orders]
    for numbers in itertools.product(*choices):
        args = [
            n if order else n + 0.1j if z else float(n)
            for n, order, z in zip(numbers, orders, complex_only, strict=True)
        ]
        with np.errstate(all="ignore"):
            steps = [_at(ufunc, args, orders, h) for h in (0.0, 1e-3, -1e-3)]
        if np.all(np.isfinite(steps)) and not np.any(steps[0] == steps[1]):
            break
    else:
        return
    text = f"{name}({', '.join(map(str, args))})"
    active = tuple(np.asarray([a, 1.03 * a]) for a, order in zip(args, orders, strict=True) if not order)

    def run(namespace: Any, *active: Any) -> Any:
        rest = iter(active)
        return getattr(namespace, name)(*(a if order else next(rest) for a, order in zip(args, orders, strict=True)))

    yield Trial(text, run, active)


def _at(ufunc: np.ufunc, args: list[Any], orders: list[bool], h: float) -> Any:
    """Values of a ufunc a step away."""
    outs = ufunc(*(a if order else a * (1 + h) for a, order in zip(args, orders, strict=True)))
    return np.concatenate([np.ravel(o) for o in _tuple(outs)])


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)
