"""Samples of the special functions that come in families: orders and parameters first, the variable last."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from wengert.core.primitive import Primitive
from wengert.rules.special import bessel as b
from wengert.rules.special import distributions as d
from wengert.rules.special import elliptic as e
from wengert.rules.special import error_functions as f
from wengert.rules.special import gammas as g
from wengert.rules.special import hypergeometric as h
from wengert.rules.special import incomplete, logistic, noncentral
from wengert.rules.special import integrals as i
from wengert.rules.special import orthogonal as o

from .sample import Sample

_rng = np.random.default_rng(19)
_Interval = tuple[float, float]


def _u(interval: _Interval, *shape: int) -> Any:
    return _rng.uniform(*interval, size=shape)


#: Functions of real variables that are all differentiated: primitive, interval of each.
_DERIVABLE: list[tuple[Primitive, *tuple[_Interval, ...]]] = [
    (f.voigt_profile, (-1, 1), (0.5, 1), (0.3, 1)),
    (f.ndtri_exp, (-3, -0.5)),
    (f.fresnel, (-1.5, 1.5)),
    (f.modfresnelp, (0.2, 1.5)),
    (f.modfresnelm, (0.2, 1.5)),
    (g.rgamma, (-2.5, 4)),
    (g.poch, (0.8, 3), (0.5, 2)),
    (g.binom, (2.2, 4), (0.3, 2)),
    (logistic.pseudo_huber, (0.5, 2), (-2, 2)),
    (logistic.exprel, (-2, 2)),
    (logistic.powm1, (0.5, 2), (-1, 2)),
    (logistic.boxcox, (0.3, 3), (-1, 1)),
    (logistic.boxcox1p, (-0.4, 2), (-1, 1)),
    (logistic.inv_boxcox, (-0.6, 1), (0.2, 1.2)),
    (logistic.inv_boxcox, (0.2, 1), (1.5, 2)),
    (logistic.inv_boxcox1p, (-0.6, 1), (0.2, 1.2)),
    (logistic.sindg, (-200, 200)),
    (logistic.cosdg, (-200, 200)),
    (logistic.tandg, (-40, 40)),
    (logistic.cotdg, (40, 140)),
    (logistic.radian, (0, 90), (0, 60), (0, 60)),
    (b.airy, (-3, 2)),
    (b.airye, (0.5, 3)),
    (b.itairy, (-1.5, 1.5)),
    (b.ber, (-2, 2)),
    (b.bei, (-2, 2)),
    (b.ker, (0.5, 3)),
    (b.kei, (0.5, 3)),
    (b.berp, (-2, 2)),
    (b.beip, (-2, 2)),
    (b.kerp, (0.5, 3)),
    (b.keip, (0.5, 3)),
    (b.kelvin, (0.5, 3)),
    (b.itj0y0, (0.5, 3)),
    (b.iti0k0, (0.5, 3)),
    (b.it2j0y0, (0.5, 3)),
    (b.it2i0k0, (0.5, 3)),
    (b.itstruve0, (0.5, 3)),
    (b.it2struve0, (0.5, 3)),
    (b.itmodstruve0, (0.5, 3)),
    (i.sici, (0.4, 4)),
    (i.shichi, (0.4, 2)),
    (i.spence, (0.3, 2.5)),
    (i.wrightomega, (-2, 3)),
    (e.elliprf, (0.5, 3), (0.5, 3), (0.5, 3)),
    (e.elliprd, (0.5, 3), (0.5, 3), (0.5, 3)),
    (e.elliprg, (0.5, 3), (0.5, 3), (0.5, 3)),
    (e.elliprc, (0.5, 3), (0.5, 3)),
    (e.elliprc, (0.5, 3), (-3, -0.5)),
    (e.elliprj, (0.5, 1), (0.5, 1), (0.5, 1), (2, 3)),
    (e.elliprj, (0.5, 1), (0.5, 1), (0.5, 1), (-3, -2)),
    (e.ellipk, (-2, 0.7)),
    (e.ellipkm1, (0.3, 2)),
    (e.ellipe, (-2, 0.7)),
    (e.ellipkinc, (-1.3, 1.3), (-1, 0.7)),
    (e.ellipeinc, (-1.3, 1.3), (-1, 0.7)),
    (e.ellipkinc, (2, 8), (0.2, 0.7)),
    (e.ellipeinc, (2, 8), (0.2, 0.7)),
    (e.ellipj_sn, (-4, 4), (0.2, 0.8)),
    (e.ellipj_cn, (-4, 4), (0.2, 0.8)),
    (e.ellipj_dn, (-4, 4), (0.2, 0.8)),
    (e.ellipj_am, (-4, 4), (0.2, 0.8)),
    (e.agm, (0.5, 3), (0.5, 3)),
    (incomplete.gammainc, (0.5, 3), (0.5, 4)),
    (incomplete.gammaincc, (0.5, 3), (0.5, 4)),
    (incomplete.gammaincinv, (0.5, 3), (0.2, 0.8)),
    (incomplete.gammainccinv, (0.5, 3), (0.2, 0.8)),
    (incomplete.betainc, (0.7, 3), (0.7, 3), (0.2, 0.8)),
    (incomplete.betaincc, (0.7, 3), (0.7, 3), (0.2, 0.8)),
    (incomplete.betaincinv, (0.7, 3), (0.7, 3), (0.2, 0.8)),
    (incomplete.betainccinv, (0.7, 3), (0.7, 3), (0.2, 0.8)),
    (d.gdtr, (0.5, 2), (0.7, 3), (0.5, 2)),
    (d.gdtrc, (0.5, 2), (0.7, 3), (0.5, 2)),
    (d.gdtria, (0.2, 0.8), (0.7, 3), (0.5, 2)),
    (d.gdtrix, (0.5, 2), (0.7, 3), (0.2, 0.8)),
    (d.chdtr, (1.5, 4), (0.5, 4)),
    (d.chdtrc, (1.5, 4), (0.5, 4)),
    (d.chdtri, (1.5, 4), (0.2, 0.8)),
    (d.fdtr, (2, 5), (2, 5), (0.5, 2)),
    (d.fdtrc, (2, 5), (2, 5), (0.5, 2)),
    (d.fdtri, (2, 5), (2, 5), (0.3, 0.8)),
    (d.stdtr, (2, 5), (-2, 2)),
    (d.stdtrit, (2, 5), (0.2, 0.8)),
    (d.owens_t, (-2, 2), (-2, 2)),
    (d.tklmbda, (-0.5, 0.5), (0.2, 0.8)),
    (d.tklmbda, (-0.5, 0.5), (-0.8, -0.2)),
    (d.kolmogorov, (0.5, 1.2)),
    (d.kolmogi, (0.2, 0.9)),
    (d.nrdtrimn, (0.2, 0.8), (0.5, 2), (-1, 1)),
    (d.nrdtrisd, (-1, 1), (0.6, 0.9), (1, 2)),
]

#: Functions of which only the last of so many arguments are differentiated: primitive, orders, intervals.
_ORDERED: list[tuple[Primitive, tuple[Any, ...], *tuple[_Interval, ...]]] = [
    *((p, (v,), (0.8, 3)) for p in (b.jve, b.yve, b.hankel1, b.hankel2, b.hankel1e, b.hankel2e) for v in (0, 1.5)),
    *((p, (n,), (0.8, 3)) for p in (b.yn, b.kn) for n in (0, 2)),
    *((p, (n,), (0.8, 3)) for p in (b.spherical_jn, b.spherical_yn, b.spherical_in, b.spherical_kn) for n in (0, 2)),
    *((p, (v,), (0.5, 3)) for p in (b.struve, b.modstruve) for v in (0, 1.5)),
    (g.zeta, (2.5,), (0.5, 3)),
    (i.expn, (0,), (0.5, 3)),
    (i.expn, (1,), (0.5, 3)),
    (i.expn, (3,), (0.5, 3)),
    (h.hyp0f1, (1.3,), (-3, 3)),
    (h.hyp1f1, (0.7, 1.3), (-3, 3)),
    (h.hyp2f1, (0.7, 1.6, 2.3), (-2, 0.7)),
    (h.hyperu, (0.7, 1.3), (0.5, 3)),
    (h.wright_bessel, (0.5, 1.3), (0.5, 3)),
    (h.log_wright_bessel, (0.5, 1.3), (0.5, 3)),
    *((p, (v,), (-2, 2)) for p in (h.pbdv, h.pbvv, h.pbdv_slope, h.pbvv_slope) for v in (2, -1.3)),
    *((p, (0.7,), (-2, 2)) for p in (h.pbwa, h.pbwa_slope)),
    *((p, (2, 0.7), (20, 70)) for p in (h.mathieu_cem, h.mathieu_sem, h.mathieu_cem_slope, h.mathieu_sem_slope)),
    *(
        (p, (2, 0.7), (0.3, 1))
        for name in ("modcem1", "modcem2", "modsem1", "modsem2")
        for p in (getattr(h, f"mathieu_{name}"), getattr(h, f"mathieu_{name}_slope"))
    ),
    *(
        (getattr(h, f"{kind}_{name}{suffix}"), (*mode, *([value] if "cv" in suffix else [])), x)
        for kind, name, mode, value, x in [
            ("pro", "ang1", (1, 2, 0.9), sp.pro_cv(1, 2, 0.9), (-0.6, 0.6)),
            ("pro", "rad1", (1, 2, 0.9), sp.pro_cv(1, 2, 0.9), (2, 3)),
            ("pro", "rad2", (2, 2, 3.0), sp.pro_cv(2, 2, 3.0), (2, 3)),
            ("obl", "ang1", (1, 2, 0.9), sp.obl_cv(1, 2, 0.9), (-0.6, 0.6)),
            ("obl", "rad1", (1, 2, 0.9), sp.obl_cv(1, 2, 0.9), (0.5, 2)),
            ("obl", "rad2", (2, 2, 3.0), sp.obl_cv(2, 2, 3.0), (2, 3)),
        ]
        for suffix in ("", "_slope", "_cv", "_cv_slope")
    ),
    *(
        (getattr(o, f"eval_{name}"), (n,), (-0.7, 0.7))
        for name in ("legendre", "chebyt", "chebyu", "chebyc", "chebys", "laguerre", "hermite", "hermitenorm")
        for n in (0, 1, 4)
    ),
    *(
        (getattr(o, f"eval_{name}"), (n,), (0.2, 0.8))
        for name in ("sh_legendre", "sh_chebyt", "sh_chebyu")
        for n in (0, 4)
    ),
    *((getattr(o, f"eval_{name}"), (2.3,), (-0.5, 0.7)) for name in ("legendre", "chebyt", "chebyu", "laguerre")),
    *((o.eval_jacobi, (n, 0.5, 1.5), (-0.7, 0.7)) for n in (0, 1, 4)),
    *((o.eval_sh_jacobi, (n, 2.5, 1.5), (0.2, 0.8)) for n in (0, 1, 4)),
    *((o.eval_gegenbauer, (n, 1.5), (-0.7, 0.7)) for n in (0, 1, 4)),
    *((o.eval_genlaguerre, (n, 1.5), (0.5, 2)) for n in (0, 1, 4)),
    *((o.lpmv, (m, 3), (-0.7, 0.7)) for m in (0, 1, 3)),
    *((o.assoc_legendre_p, (3, m), (-0.7, 0.7)) for m in (-1, 0, 3)),
    *((o.sph_legendre_p, (3, m), (0.3, 2)) for m in (-1, 0, 3)),
    *((o.sph_harm_y, (3, m), (0.3, 2), (-2, 2)) for m in (-1, 0, 3)),
    (d.pdtr, (2.5,), (0.5, 4)),
    (d.pdtrc, (2.5,), (0.5, 4)),
    (d.pdtri, (2,), (0.2, 0.8)),
    (d.bdtr, (2.5, 5), (0.2, 0.8)),
    (d.bdtrc, (2.5, 5), (0.2, 0.8)),
    (d.bdtri, (2.0, 5), (0.2, 0.8)),
    (d.nbdtr, (2, 5), (0.2, 0.8)),
    (d.nbdtrc, (2, 5), (0.2, 0.8)),
    (d.nbdtri, (2, 5), (0.2, 0.8)),
    (d.stdtr, (np.inf,), (-2, 2)),
    (d.smirnov, (5,), (0.22, 0.38)),
    (d.smirnovi, (5,), (0.2, 0.5)),
    (noncentral.ncfdtr, (3.5, 5.2), (0.5, 2), (0.5, 2)),
    (noncentral.ncfdtri, (3.5, 5.2), (0.5, 2), (0.2, 0.8)),
    (noncentral.nctdtr, (3.5,), (-2, 2), (-2, 2)),
    (noncentral.nctdtrit, (3.5,), (-1, 1), (0.2, 0.8)),
]

#: Functions of which SciPy's versions for single precision return NaN, do not return, or warn.
_ONLY_DOUBLE = ("bdtr", "kolmogorov", "mathieu_", "obl_", "pro_", "pbvv")
#: Functions whose derivatives in some arguments are sums of many terms, which take seconds to compile.
_BY_QUADRATURE = ("gammainc", "betainc", "gdtr", "chdtr", "fdtr", "stdtr")


def _differentiated(p: Primitive, orders: tuple[Any, ...], intervals: tuple[_Interval, ...]) -> list[Sample]:
    wrt = tuple(range(len(orders), len(orders) + len(intervals)))
    constants = tuple(np.array(x) for x in orders)
    columns = [_u(x, 2, 1) if k == 0 and len(intervals) > 1 else _u(x, 3) for k, x in enumerate(intervals)]
    samples = [Sample(p, (*constants, *columns), wrt=wrt, rtol=1e-5 if "_rad" in p.name else None)]
    if p.name.startswith(_BY_QUADRATURE):  # the first sample is compiled in every run of the tests
        samples.insert(0, Sample(p, (*constants, *columns), wrt=wrt[-1:], note="variable"))
    if not p.name.startswith(_ONLY_DOUBLE):
        singles = [np.float32(_u(x)) for x in intervals]
        orders = tuple(x if type(x) is int else np.float32(x) for x in orders)
        samples.append(Sample(p, (*orders, *singles), wrt=wrt))
    return samples


#: Functions of which some arguments are differentiated: primitive, arguments, numbers of those.
_SOME: list[tuple[Primitive, tuple[Any, ...], tuple[int, ...]]] = [
    (b.besselpoly, (_u((0.5, 2), 3), 0.5, 1.5), (0,)),
    (d.smirnov_slope, (np.array(5), _u((0.22, 0.38), 3), np.array(1)), (1,)),
    (b.besselpoly, (_u((0.5, 2), 3), 0.5, 0.0), (0,)),
    (i.lambertw, (_u((0.3, 2), 3), 0, 1e-8), (0,)),
    (i.lambertw, (_u((-0.3, -0.1), 3), np.array(-1), 1e-8), (0,)),
    (o.diric, (_u((-3, 3), 3), np.array([1, 4, 5])), (0,)),
    (o.diric, (np.array([0.0, 2 * np.pi]), np.array(4)), (0,)),
    (noncentral.chndtr, (_u((0.5, 4), 2, 1), 2.5, _u((0.2, 3), 3)), (0, 2)),
    (noncentral.chndtrix, (_u((0.3, 0.7), 2, 1), 2.5, _u((0.5, 2), 3)), (0, 2)),
    (noncentral.chndtrinc, (_u((3.5, 5), 2, 1), 2.5, _u((0.2, 0.4), 3)), (0, 2)),
    (noncentral.nctdtrinc, (3.5, _u((0.2, 0.8), 2, 1), _u((-1, 1), 3)), (1, 2)),
    # Points where a formula of another kind would divide 0 by 0
    (g.binom, (np.array([2.0, 3.5]), np.array([3.0, -1.0])), (0, 1)),
    (g.poch, (np.array([-2.0, -2.5]), np.array([0.5, 1.0])), (0, 1)),
    (g.rgamma, (np.array([0.0, -1.0, -2.0]),), (0,)),
    (logistic.exprel, (np.array([0.0, 1e-9]),), (0,)),
    (logistic.boxcox, (_u((0.5, 2), 2), np.zeros(2)), (0, 1)),
    (logistic.inv_boxcox, (_u((0.5, 2), 2), np.zeros(2)), (0, 1)),
    (logistic.pseudo_huber, (np.array([1.0, 2.0]), np.array([0.0, 1e-9])), (0, 1)),
    (b.ber, (np.zeros(1),), (0,)),
    (b.bei, (np.zeros(1),), (0,)),
    (b.berp, (np.zeros(1),), (0,)),
    (b.struve, (0, np.zeros(1)), (1,)),
    (b.modstruve, (0, np.zeros(1)), (1,)),
    (b.spherical_jn, (np.array([0, 1, 2]), np.zeros(3)), (1,)),
    (i.spence, (np.array([1.0, 1 + 1e-9]),), (0,)),
    (e.ellipk, (np.zeros(1),), (0,)),
    (e.ellipe, (np.zeros(1),), (0,)),
    (e.agm, (np.array([1.0, 2.0]), np.array([1.0, 2 + 1e-9])), (0, 1)),
    (e.elliprf, (np.array([0.5]), np.array([0.5]), np.array([0.5])), (0, 1, 2)),
    (e.elliprd, (np.array([0.5]), np.array([0.5]), np.array([0.5])), (0, 1, 2)),
    (e.elliprj, (np.array([0.5, 0.5]), np.array([0.5, 0.7]), np.array([0.5, 0.9]), np.array([0.5, 0.9])), (0, 1, 2, 3)),
    (e.elliprc, (np.array([0.5]), np.array([0.5])), (0, 1)),
    (o.eval_legendre, (np.array([0, 3]), np.array([1.0, -1.0])), (1,)),
    (o.assoc_legendre_p, (np.array([0, 3]), np.array([0, 0]), np.array([1.0, -1.0])), (2,)),
    (o.sph_legendre_p, (np.array([3, 3, 2]), np.array([-1, 0, 2]), np.array([-1.0, 0.0, 4.0])), (2,)),
    (o.sph_harm_y, (np.array([3, 3]), np.array([-1, 3]), np.array([-1.0, 4.0]), np.array([0.3, 5.0])), (2, 3)),
    (b.it2struve0, (np.zeros(1),), (0,)),
    (d.tklmbda, (np.array([0.3, -0.7]), np.array([4.0, 2.0])), (0, 1)),
    (noncentral.ncfdtr, (3.5, 5.2, np.array([50.0, 400.0]), np.array([20.0, 100.0])), (2, 3)),
]
_COMPLEX: list[tuple[Primitive, tuple[Any, ...]]] = [
    *((p, ()) for p in (f.erfcx, f.dawsn, f.wofz, f.log_ndtr, f.fresnel, g.gamma, g.rgamma, b.airy)),
    *((p, ()) for p in (i.sici, i.shichi, i.spence, i.wrightomega, i.expi)),
    *((p, (np.array(1.5),)) for p in (b.jv, b.kve, b.hankel1, b.hankel1e, b.hankel2, b.hankel2e)),
    *((p, (np.array(1.5),)) for p in (b.jve_holomorphic, b.yve_holomorphic, b.ive_holomorphic)),
    *((p, (np.array(2),)) for p in (b.spherical_jn, b.spherical_kn)),
    (h.hyp0f1, (1.3,)),
    (h.hyp1f1, (0.7, 1.3)),
    (h.hyp2f1, (0.7, 1.6, 2.3)),
    (o.eval_legendre, (3.0,)),
    (o.eval_jacobi, (3.0, 0.5, 1.5)),
    (e.elliprf, (0.7, 1.2)),
    (e.elliprd, (0.7, 1.2)),
    (e.elliprc, (0.7,)),
]
#: Functions without derivatives: primitive, arguments.
_VALUES: list[tuple[Primitive, tuple[Any, ...]]] = [
    (g.zetac, (1.5,)),
    (g.riemann_zeta, (1.5,)),
    (h.mathieu_a, (2, 0.7)),
    (h.mathieu_b, (2, 0.7)),
    (h.pro_cv, (1, 2, 0.9)),
    (h.obl_cv, (1, 2, 0.9)),
    (noncentral.chndtridf, (1.5, 0.4, 1.2)),
    (noncentral.ncfdtridfd, (3.5, 0.6, 1.2, 1.5)),
    (noncentral.ncfdtridfn, (0.6, 3.5, 1.2, 1.5)),
    (noncentral.nctdtridf, (0.7, 0.3, 0.8)),
]


SAMPLES = [
    *(s for p, *intervals in _DERIVABLE for s in _differentiated(p, (), tuple(intervals))),
    *(s for p, orders, *intervals in _ORDERED for s in _differentiated(p, orders, tuple(intervals))),
    *(Sample(p, args, wrt=wrt, note="" if np.size(args[0]) > 1 else "special") for p, args, wrt in _SOME),
    *(
        Sample(
            p,
            (*args, _u((0.5, 1), 2) + 1j * _u((-0.5, 0.5), 2)),
            wrt=(len(args),),
            note="complex",
            order=1 if p in (g.gamma, g.rgamma) else 2,  # there is no complex polygamma
        )
        for p, args in _COMPLEX
    ),
    *(Sample(p, tuple(np.array([x, x]) for x in args), wrt=(), note="no derivative") for p, args in _VALUES),
    # SciPy finds these roots to some digits.
    *(
        Sample(p, tuple(np.array([x, 1.02 * x]) for x in args), wrt=wrt, order=order, rtol=1e-5, note=note)
        for p, args in [
            (d.gdtrib, (1.2, 0.4, 1.5)),
            (d.chdtriv, (0.4, 1.5)),
            (d.pdtrik, (0.6, 1.5)),
            (d.btdtria, (0.4, 1.5, 0.3)),
            (d.btdtrib, (1.5, 0.4, 0.3)),
            (d.bdtrik, (0.6, 5.0, 0.3)),
            (d.bdtrin, (2.0, 0.4, 0.3)),
            (d.nbdtrik, (0.6, 2.0, 0.3)),
            (d.nbdtrin, (2.0, 0.4, 0.3)),
            (d.fdtridfd, (3.5, 0.6, 1.2)),
            (d.stdtridf, (0.8, 1.2)),
        ]
        for wrt, order, note in [((len(args) - 1,), 1, "variable"), (None, 2, "")]
    ),
    Sample(noncentral.ncfdtrinc, (3.5, 5.2, _u((0.2, 0.3), 2, 1), _u((1, 1.5), 3)), wrt=(2, 3), rtol=1e-2, order=1),
    *(
        Sample(e.carlson, args, {"powers": powers})
        for args, powers in [
            (tuple(_u((0.5, 2), 4, 3)), (1, 1, 5, 0)),
            ((_u((0.5, 2), 2, 1), *_u((0.5, 2), 3, 3)), (1, 3, 1, 4)),
            (tuple(_u((0.5, 2), 4).astype(np.float32)), (3, 1, 3, 2)),
            (tuple(_u((0.5, 2), 4, 2) + 1j * _u((-1, 1), 4, 2)), (3, 1, 3, 0)),
        ]
    ),
    Sample(g.gammasgn, (np.array([-1.5, -0.5, 0.5]),)),
    # Kinks, ends of domains, and arguments that cannot be moved both ways
    Sample(logistic.pseudo_huber, (0.0, 0.0), smooth=False, expected=[0.0, 0.0]),
    Sample(logistic.boxcox, (0.0, 0.5), smooth=False, expected=[np.inf, 4.0]),
    Sample(f.voigt_profile, (0.5, 0.0, 1.0), smooth=False, expected=[-0.64 / np.pi, 0.0, -0.48 / np.pi]),
    Sample(e.elliprg, (0.0, 1.0, 1.0), wrt=(0,), smooth=False, expected=[np.pi / 8]),
    Sample(o.lpmv, (np.array(0), np.array(3.0), np.array(1.0)), wrt=(2,), smooth=False, expected=[6.0]),
    Sample(e.ellipe, (1.0,), smooth=False, expected=[-np.inf]),
    Sample(e.agm, (1.0, 0.0), smooth=False, expected=[np.nan, np.nan]),
    # At λ = 0 it is the logistic distribution; SciPy's values are constant in λ around it.
    Sample(d.tklmbda, (0.0, 0.0), smooth=False, expected=[0.25, 0.0]),
    Sample(d.tklmbda, (np.log(3), 0.0), smooth=False, expected=[3 / 16, 3 / 32 * np.log(16 / 3) * np.log(3)]),
    Sample(
        noncentral.chndtr, (2.0, 4.0, 0.0), wrt=(0, 2), smooth=False, expected=[0.5 * np.exp(-1), -0.25 * np.exp(-1)]
    ),
    Sample(i.expn, (np.array(1), np.array(0.0)), wrt=(1,), smooth=False, expected=[-np.inf]),
    Sample(
        d.kolmogorov, (np.array([0.0, 0.01, 5.0]),), smooth=False, expected=[np.array([0.0, 0.0, -40 * np.exp(-50)])]
    ),
]
