"""Sample calls of SciPy's functions that support the array API standard, and what becomes of them on Arrays.

    SCIPY_ARRAY_API=1 python -m tests.scipy_calls

prints a line for each call: its name, and "ok" or why it does not work. `tests/test_scipy_array_api.py` and
`docs/generate_scipy.py` run this in a process of its own, because SciPy reads the variable when it is imported.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from typing import Any

import numpy as np

_rng = np.random.default_rng(4)
#: Arrays that the calls are made with. All but the constants are differentiated.
ARRAYS = {
    "v": np.array([0.3, 1.7, 0.9, 2.6, 1.1, 0.4, 2.2, 1.9]),
    "w": np.array([1.2, 0.5, 2.1, 0.8, 1.6, 2.9, 0.7, 1.4]),
    "x": _rng.normal(size=(6, 3)),
    "u": _rng.uniform(0.1, 0.9, size=8),
    "m": _rng.normal(size=(3, 3)) + 3 * np.eye(3),
    "p": np.array([0.1, 0.4, 0.2, 0.3]),
    "a": np.float64(0.7),
    "z": _rng.normal(size=4) + 1j * _rng.normal(size=4),
}

CONVERTED = "converts its arguments to ndarrays"

CALLS = """
stats
    alexandergovern(v, w).statistic | bartlett(v, w).statistic | boxcox_llf(0.5, v) | chatterjeexi(v, w).statistic
    chisquare(v, w * (sum(v) / sum(w))).statistic | circmean(v) | circstd(v) | circvar(v)
    combine_pvalues(u).statistic | describe(v).variance | differential_entropy(v)
    directional_stats(x).mean_direction | entropy(v) | entropy(v, w) | epps_singleton_2samp(v, w).statistic
    false_discovery_control(u) | fligner(u[:7], w[:5]).statistic | friedmanchisquare(v, w, u).statistic
    f_oneway(v, w).statistic | gmean(v) | gstd(v) | gzscore(v) | hmean(v) | iqr(u) | jarque_bera(v).statistic
    jarque_bera(v).pvalue | kruskal(v, w).statistic | kstat(v, 3) | kstatvar(v)
    ks_1samp(v, lambda x: x / 3).statistic | kurtosis(v) | kurtosistest(v).statistic | levene(v, w).statistic
    lmoment(v) | mannwhitneyu(v, w).statistic | median_abs_deviation(u) | mode(v).mode | moment(v, 3)
    mood(v, w).statistic | normaltest(v).statistic | normaltest(v).pvalue | pearsonr(v, w).statistic | pmean(v, 1.5)
    pearsonr(v, w).pvalue | power_divergence(v, w * (sum(v) / sum(w)), lambda_=2 / 3).statistic | quantile(v, 0.3)
    quantile(v, 0.3, method="weibull") | rankdata(v) | sem(v) | sigmaclip(v).clipped | skew(v) | skew(x, axis=None)
    skewtest(v).statistic | spearmanrho(v, w).statistic | tmax(v) | tmean(v, (0.35, 2.5)) | tmin(v)
    trim_mean(v, 0.2) | tsem(v) | tstd(v) | ttest_1samp(v, 1.0).statistic | ttest_1samp(v, 1.0).pvalue
    ttest_ind(v, w).statistic | ttest_ind(v, w, equal_var=False).statistic | ttest_rel(v, w).statistic
    ttest_rel(v, w).pvalue | tvar(v) | variation(v) | wilcoxon(v, u, method="asymptotic").statistic
    yeojohnson_llf(0.5, v) | zmap(v, w) | zscore(v) | zscore(x, axis=1) | ansari(v, w).statistic
    brunnermunzel(v, w).statistic | cramervonmises(v, lambda x: x / 3).statistic
    cramervonmises_2samp(v, w).statistic | ttest_ind_from_stats(v[:1], w[:1], 8, v[1:2], w[1:2], 8).statistic
    bootstrap((v,), mean, rng=1, n_resamples=9, method="basic").standard_error
    monte_carlo_test(v, rvs, mean, n_resamples=9).statistic
    permutation_test((v, w), difference, n_resamples=9, rng=1).statistic
    power(mean_test, rvs, 5, n_resamples=9).power
signal
    envelope(v) | hilbert(v) | hilbert2(x) | detrend(v) | detrend(v, type="constant") | convolve(v, w)
    convolve(v, w, method="direct") | correlate(v, w) | fftconvolve(v, w) | oaconvolve(v, w) | convolve2d(x, m)
    correlate2d(x, m) | filtfilt(v[:2], w[:2], v) | lfilter(v[:2], w[:2], u) | lfilter_zi(v[:3], w[:3])
    sosfilt(sos, v) | deconvolve(v, w[:3]) | resample(v, 5) | resample_poly(v, 2, 3) | upfirdn(v[:3], w)
    savgol_filter(v, 5, 2) | wiener(v, 3) | medfilt(v, 3) | order_filter(v, asarray([1.0, 1.0, 1.0]), 1)
    cspline1d(v) | qspline1d(v) | freqz(v[:3], w[:3])[1] | freqs(v[:3], w[:3], w)[1]
    freqz_zpk(z[:1], z[1:2] * 0.3, 1.0)[1] | freqs_zpk(z[:1], z[1:2], 1.0, w)[1] | group_delay((v[:3], w[:3]))[1]
    normalize(v[:2], w[:3]) | bilinear(v[:2], w[:3]) | bilinear_zpk(z[:1], z[1:3], 1.0, 2.0)
    lp2lp(v[:2], w[:3], 2.0) | lp2lp_zpk(z[:1], z[1:3], 1.0, 2.0) | lp2hp_zpk(z[:1], z[1:3], 1.0, 2.0)
    lp2bp_zpk(z[:1], z[1:3], 1.0, 2.0) | lp2bs_zpk(z[:1], z[1:3], 1.0, 2.0) | lp2hp(v[:2], w[:3], 2.0)
    lp2bp(v[:2], w[:3], 2.0) | lp2bs(v[:2], w[:3], 2.0) | tf2zpk(v[:2], w[:3]) | zpk2tf(z[:1], z[1:3], 1.0)
    zpk2sos(z[:1] - 1j * z[:1].imag, z[1:2] - 1j * z[1:2].imag, 1.0) | vectorstrength(v, 1.5)
    abcd_normalize(m, x[:3, :1], x[:1, :], m[:1, :1]) | gauss_spline(v, 3) | sosfilt_zi(sos) | sosfreqz(sos)[1]
    sosfiltfilt(sos, concat((v, w))) | minimum_phase(concat((v[:2], v[:3][::-1]))) | sos2tf(sos) | sos2zpk(sos)[1]
    tf2sos(v[:3], w[:3])
fft
    fft(v) | ifft(z) | fft2(x) | ifft2(x) | fftn(x) | ifftn(x) | rfft(v) | irfft(z) | rfft2(x) | irfft2(x) | rfftn(x)
    irfftn(x) | hfft(z) | ihfft(v) | hfft2(x) | ihfft2(x) | hfftn(x) | ihfftn(x) | fftshift(v) | ifftshift(v)
    fht(v, 0.1, 0.5) | ifht(v, 0.1, 0.5) | dct(v) | idct(v) | dst(v) | idst(v) | dctn(x) | idctn(x) | dstn(x)
    idstn(x)
linalg
    block_diag(m, x) | fiedler(v) | orthogonal_procrustes(x, x[::-1, :])
cluster.vq
    whiten(x) | vq(x, x[:2, :])[1] | kmeans(x, x[:2, :])[1] | kmeans2(x, x[:2, :])[0]
cluster.hierarchy
    linkage(x) | average(x) | complete(x) | single(x) | ward(x)
integrate
    cubature(lambda t: a * t[:, 0] ** 2, asarray([0.0]), asarray([1.0])).estimate | cumulative_simpson(v)
    cumulative_simpson(v, dx=0.5, initial=0.0) | cumulative_trapezoid(v)
    cumulative_trapezoid(v, x=cumulative_sum(w)) | romb(concat((v, w[:1])))
    nsum(lambda k: exp(-a * k), asarray(1.0), asarray(20.0)).sum | simpson(v) | trapezoid(v)
    trapezoid(x, dx=0.5, axis=0) | tanhsinh(lambda t, a: exp(-a * t), asarray(0.0), asarray(2.0), args=(a,)).integral
    trapezoid(v, x=cumulative_sum(w)) | nsum(lambda k, a: exp(-a * k), asarray(1.0), asarray(20.0), args=(a,)).sum
    tanhsinh(lambda t: t**2, a, a + 1.0).integral | qmc_quad(lambda t: a * t[0], [0.0], [1.0]).integral
optimize
    rosen(v) | rosen_der(v) | rosen_hess(v) | rosen_hess_prod(v, w)
optimize.elementwise
    find_root(lambda t, a: t**3 - a, (asarray(0.0), asarray(2.0)), args=(a,)).x
    find_minimum(lambda t, a: (t - a) ** 4 + (t - a) ** 2, (asarray(-1.0), asarray(0.5), asarray(2.0)), args=(a,)).f_x
    find_minimum(lambda t, a: (t - a) ** 2 + a, (asarray(-1.0), asarray(0.5), asarray(2.0)), args=(a,)).x
    bracket_root(lambda t, a: t**3 - a, asarray(0.0), asarray(0.1), args=(a,)).f_bracket[0]
    bracket_minimum(lambda t, a: (t - a) ** 2, asarray(0.1), args=(a,)).f_bracket[1]
differentiate
    derivative(lambda t: exp(t), v).df | derivative(lambda t, a: exp(a * t), asarray(0.5), args=(a,)).df
    jacobian(lambda t: sin(t) * t, v).df | hessian(lambda t: sum(t**3, axis=0), v[:3]).ddf
interpolate
    RBFInterpolator(x, v[:6])(x) | CubicSpline(cumulative_sum(v), w)(cumulative_sum(v))
    make_interp_spline(cumulative_sum(v), w)(u) | PchipInterpolator(cumulative_sum(v), w)(u)
    Akima1DInterpolator(cumulative_sum(v), w)(v) | RegularGridInterpolator((cumulative_sum(v),), w)(w + 0.3)
ndimage
    gaussian_filter(x, 1.0) | gaussian_filter1d(v, 1.0) | uniform_filter(x, 3) | convolve(x, m) | correlate(x, m)
    map_coordinates(x, asarray([[1.2, 2.3], [0.4, 1.1]])) | rotate(x, 10.0) | shift(x, 0.5) | zoom(x, 2.0)
    laplace(x) | median_filter(x, 3) | maximum_filter(x, 3) | sobel(x) | spline_filter(x) | mean(x) | sum(x)
    center_of_mass(abs(x)) | vectorized_filter(x, mean_axis, size=3)
spatial.distance
    pdist(x) | cdist(x, m) | euclidean(v, w) | cosine(v, w)
spatial.transform
    Rotation.from_quat(z_real).as_matrix() | Rotation.from_rotvec(v[:3]).as_quat()
    Rotation.from_matrix(orth).as_rotvec() | Rotation.from_euler("xyz", v[:3]).apply(w[:3])
    Rotation.from_rotvec(v[:3]).inv().as_matrix() | RigidTransform.from_translation(v[:3]).as_matrix()
    Rotation.from_quat(z_real).magnitude() | Rotation.from_rotvec(v[:3]).as_euler("zyx")
    (Rotation.from_rotvec(v[:3]) * Rotation.from_rotvec(w[:3])).as_rotvec()
constants
    convert_temperature(v, "Celsius", "Kelvin") | lambda2nu(v) | nu2lambda(v)
special
    logsumexp(v) | softmax(v)[0] | log_softmax(x, axis=1) | multigammaln(v + 1.0, 2) | polygamma(1, v)
"""


def table() -> list[tuple[str, str]]:
    """(module, expression) of each call."""
    found: list[tuple[str, str]] = []
    module = ""
    for line in CALLS.strip().splitlines():
        if not line.startswith(" "):
            module = line
        else:
            found += [(module, call.strip()) for call in line.split(" | ")]
    return found


def evaluate(module: str, expression: str, arrays: dict[str, Any]) -> list[Any]:
    """The real floating-point arrays in the result of a call; complex ones by their parts."""
    import wengert.numpy as xp

    names = {n: getattr(xp, n) for n in ("asarray", "sum", "exp", "sin", "abs", "concat", "cumulative_sum")}
    x, v = arrays["x"], arrays["v"]
    names["sos"] = xp.stack([xp.concat([v[:3] * 0.3, xp.ones(1), w[:2] * 0.1]) for w in (arrays["w"], arrays["u"])])
    names["z_real"], names["orth"] = xp.astype(v[:4], float), xp.linalg.qr(arrays["m"])[0]
    names["mean"] = lambda t, axis=-1: xp.mean(t, axis=axis)
    names["mean_axis"] = lambda t, axis: xp.mean(t, axis=axis)
    names["difference"] = lambda s, t, axis=-1: xp.mean(s, axis=axis) - xp.mean(t, axis=axis)
    names["rvs"] = lambda size: xp.asarray(np.random.default_rng(5).normal(size=size)) + 0 * xp.sum(x)
    names["mean_test"] = lambda t, axis=-1: xp.mean(t, axis=axis)
    holder = importlib.import_module(f"scipy.{module}")
    names.update(arrays, _=holder, **{n: getattr(holder, n) for n in ("Rotation",) if hasattr(holder, n)})
    return _leaves(eval(expression if expression.startswith("(") else f"_.{expression}", names))


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [leaf for y in x for leaf in _leaves(y)]
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    if kind == "c":
        return [x.real, x.imag]
    return [x] if kind == "f" else [np.float64(x)] if isinstance(x, float) else []


def _direction() -> dict[str, Any]:
    return {
        k: np.asarray(0.1 * np.cos(i + np.arange(np.size(x)))).reshape(np.shape(x))[()]
        for i, (k, x) in enumerate(ARRAYS.items())
    }


def outcome(module: str, expression: str) -> str:
    """Run one call: plain, in both modes, and against finite differences."""
    import wengert
    from wengert import errors

    try:
        expected = evaluate(module, expression, ARRAYS)
    except Exception as error:
        return f"fails with plain arrays, too: {type(error).__name__}: {error}"
    if not expected:
        return "no floating-point result"

    def f(arrays: dict[str, Any]) -> list[Any]:
        return evaluate(module, expression, arrays)

    direction = _direction()
    try:
        out, dots = wengert.jvp(f, (ARRAYS,), (direction,))
        _, pullback = wengert.vjp(f, ARRAYS)
        (ct,) = pullback([np.ones_like(o) for o in out])
    except errors.ConcretizationError as error:
        return _converted(error)
    except errors.WengertError as error:
        return str(error).splitlines()[0]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if any(not np.allclose(o, e, rtol=1e-10, atol=1e-12, equal_nan=True) for o, e in zip(out, expected, strict=True)):
        return "another value"
    forward = sum(float(np.sum(d)) for d in dots)
    reverse = sum(float(np.sum(np.real(np.conj(ct[k]) * direction[k]))) for k in ct)

    def along(h: float) -> float:
        moved = {k: x + h * direction[k] for k, x in ARRAYS.items()}
        return sum(float(np.sum(o)) for o in evaluate(module, expression, moved))

    h = 1e-4
    numerical = (8 * (along(h) - along(-h)) - along(2 * h) + along(-2 * h)) / (12 * h)
    scale = 1e-6 * max(1.0, abs(numerical), *(float(np.max(np.abs(o), initial=0.0)) for o in out))
    if abs(forward - reverse) > scale:
        return f"the modes differ: {forward} {reverse}"
    if not abs(forward - numerical) <= scale:
        return f"another derivative: {forward}, by differences {numerical}"
    return "ok" if forward else "ok, derivative zero"


def further(module: str, expression: str) -> list[str]:
    """Which further transforms a call that works goes through: second derivatives (which are checked), jit, vmap."""
    import wengert

    def f(arrays: dict[str, Any]) -> list[Any]:
        return evaluate(module, expression, arrays)

    def gradient(h: float) -> float:
        moved = {k: x + h * direction[k] for k, x in ARRAYS.items()}
        (ct,) = wengert.vjp(f, moved)[1](ones)
        return sum(float(np.sum(np.real(np.conj(ct[k]) * direction[k]))) for k in ct)

    def second() -> None:
        slope = wengert.jvp(lambda a: wengert.jvp(f, (a,), (direction,))[1], (ARRAYS,), (direction,))[1]
        exact = sum(float(np.sum(s)) for s in slope)
        numerical = (8 * (gradient(1e-4) - gradient(-1e-4)) - gradient(2e-4) + gradient(-2e-4)) / 12e-4
        if not abs(exact - numerical) <= 1e-5 * max(1.0, abs(numerical), abs(gradient(0.0))):
            wrong.append(f"another second derivative: {exact}, by differences {numerical}")

    expected = f(ARRAYS)
    ones = [np.ones_like(e) for e in expected]
    direction = _direction()
    wrong: list[str] = []
    found = []
    for name, attempt in (
        ("second", second),
        ("jit", lambda: wengert.jit(f)(ARRAYS)),
        ("vmap", lambda: [o[0] for o in wengert.vmap(f)({k: np.stack([x, x]) for k, x in ARRAYS.items()})]),
    ):
        try:
            out = attempt()
        except Exception:
            continue
        if out is not None and not all(
            np.allclose(o, e, rtol=1e-9, atol=1e-11, equal_nan=True) for o, e in zip(out, expected, strict=True)
        ):
            wrong.append(f"another value by {name}")
        found.append(name)
    return wrong or found


def _converted(error: BaseException) -> str:
    """What asked for a plain array: a special function without a rule, or compiled code."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        function = frame.f_locals.get("_f")
        if isinstance(function, np.ufunc) and "special" in frame.f_code.co_filename:
            return f"needs `scipy.special.{function.__name__}`, which has no rule"
    return CONVERTED


def outcomes() -> dict[str, list[str]]:
    """What becomes of each call, and which further transforms it goes through."""
    results = {}
    for module, expression in table():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = outcome(module, expression)
            results[f"{module}.{expression}"] = [result, *(further(module, expression) if result == "ok" else [])]
    return results


if __name__ == "__main__":
    if os.environ.get("SCIPY_ARRAY_API") != "1":
        sys.exit("set SCIPY_ARRAY_API=1")
    json.dump(outcomes(), sys.stdout, indent=0)
