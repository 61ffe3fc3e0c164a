"""Rows for the ufuncs of one family each: SciPy's function, and the primitive that stands for it."""

from __future__ import annotations

from typing import Any

from wengert.core.values import dtype_of
from wengert.numpy.dispatch import as_array, call
from wengert.numpy.universal import Ufunc
from wengert.rules import elementwise
from wengert.rules.special import bessel, elliptic, error_functions, gammas, incomplete, integrals, logistic
from wengert.rules.special.common import sp


def results(primitive: Any) -> Any:
    """A primitive with several results, for user-level arguments."""
    return lambda *args: call(primitive, *args)


def pair(*primitives: Any) -> Any:
    """Several primitives for the results of one function."""
    return lambda *args: tuple(call(p, *args) for p in primitives)


def scaled(primitive: Any, holomorphic: Any, phase: Any) -> Any:
    """A scaled Bessel function: a phase times a holomorphic function for complex arguments."""

    def function(v: Any, z: Any) -> Any:
        z = as_array(z)
        if dtype_of(z).kind != "c":
            return call(primitive, v, z)
        return call(holomorphic, v, z) * call(phase, z)

    return function


# Error functions, Fresnel integrals, the normal distribution
dawsn = Ufunc(sp.dawsn, error_functions.dawsn)
erf = Ufunc(sp.erf, error_functions.erf)
erfc = Ufunc(sp.erfc, error_functions.erfc)
erfcinv = Ufunc(sp.erfcinv, error_functions.erfcinv)
erfcx = Ufunc(sp.erfcx, error_functions.erfcx)
erfi = Ufunc(sp.erfi, error_functions.erfi)
erfinv = Ufunc(sp.erfinv, error_functions.erfinv)
fresnel = Ufunc(sp.fresnel, results(error_functions.fresnel))
log_ndtr = Ufunc(sp.log_ndtr, error_functions.log_ndtr)
modfresnelm = Ufunc(sp.modfresnelm, results(error_functions.modfresnelm))
modfresnelp = Ufunc(sp.modfresnelp, results(error_functions.modfresnelp))
ndtr = Ufunc(sp.ndtr, error_functions.ndtr)
ndtri = Ufunc(sp.ndtri, error_functions.ndtri)
ndtri_exp = Ufunc(sp.ndtri_exp, error_functions.ndtri_exp)
voigt_profile = Ufunc(sp.voigt_profile, error_functions.voigt_profile)
wofz = Ufunc(sp.wofz, error_functions.wofz)

# Logistic functions, entropies, Box-Cox transforms, degrees
boxcox = Ufunc(sp.boxcox, logistic.boxcox)
boxcox1p = Ufunc(sp.boxcox1p, logistic.boxcox1p)
cosdg = Ufunc(sp.cosdg, logistic.cosdg)
cosm1 = Ufunc(sp.cosm1, logistic.cosm1)
cotdg = Ufunc(sp.cotdg, logistic.cotdg)
entr = Ufunc(sp.entr, logistic.entr)
exp10 = Ufunc(sp.exp10, logistic.exp10)
expit = Ufunc(sp.expit, logistic.expit)
exprel = Ufunc(sp.exprel, logistic.exprel)
huber = Ufunc(sp.huber, logistic.huber)
inv_boxcox = Ufunc(sp.inv_boxcox, logistic.inv_boxcox)
inv_boxcox1p = Ufunc(sp.inv_boxcox1p, logistic.inv_boxcox1p)
kl_div = Ufunc(sp.kl_div, logistic.kl_div)
log_expit = Ufunc(sp.log_expit, logistic.log_expit)
logit = Ufunc(sp.logit, logistic.logit)
powm1 = Ufunc(sp.powm1, logistic.powm1)
pseudo_huber = Ufunc(sp.pseudo_huber, logistic.pseudo_huber)
radian = Ufunc(sp.radian, logistic.radian)
rel_entr = Ufunc(sp.rel_entr, logistic.rel_entr)
sindg = Ufunc(sp.sindg, logistic.sindg)
tandg = Ufunc(sp.tandg, logistic.tandg)
xlog1py = Ufunc(sp.xlog1py, logistic.xlog1py)
xlogy = Ufunc(sp.xlogy, logistic.xlogy)

# Gamma, beta and zeta functions
beta = Ufunc(sp.beta, gammas.beta)
betainc = Ufunc(sp.betainc, incomplete.betainc)
betaincc = Ufunc(sp.betaincc, incomplete.betaincc)
betainccinv = Ufunc(sp.betainccinv, incomplete.betainccinv)
betaincinv = Ufunc(sp.betaincinv, incomplete.betaincinv)
betaln = Ufunc(sp.betaln, gammas.betaln)
binom = Ufunc(sp.binom, gammas.binom)
digamma = Ufunc(sp.digamma, gammas.digamma)
gamma = Ufunc(sp.gamma, gammas.gamma)
gammainc = Ufunc(sp.gammainc, incomplete.gammainc)
gammaincc = Ufunc(sp.gammaincc, incomplete.gammaincc)
gammainccinv = Ufunc(sp.gammainccinv, incomplete.gammainccinv)
gammaincinv = Ufunc(sp.gammaincinv, incomplete.gammaincinv)
gammaln = Ufunc(sp.gammaln, gammas.gammaln)
gammasgn = Ufunc(sp.gammasgn, gammas.gammasgn)
loggamma = Ufunc(sp.loggamma, gammas.loggamma)
poch = Ufunc(sp.poch, gammas.poch)
rgamma = Ufunc(sp.rgamma, gammas.rgamma)
zetac = Ufunc(sp.zetac, gammas.zetac)

# Bessel functions and their relatives
airy = Ufunc(sp.airy, results(bessel.airy))
airye = Ufunc(sp.airye, results(bessel.airye))
bei = Ufunc(sp.bei, bessel.bei)
beip = Ufunc(sp.beip, bessel.beip)
ber = Ufunc(sp.ber, bessel.ber)
berp = Ufunc(sp.berp, bessel.berp)
besselpoly = Ufunc(sp.besselpoly, bessel.besselpoly)
hankel1 = Ufunc(sp.hankel1, bessel.hankel1)
hankel1e = Ufunc(sp.hankel1e, bessel.hankel1e)
hankel2 = Ufunc(sp.hankel2, bessel.hankel2)
hankel2e = Ufunc(sp.hankel2e, bessel.hankel2e)
i0 = Ufunc(sp.i0, bessel.i0)
i0e = Ufunc(sp.i0e, bessel.i0e)
i1 = Ufunc(sp.i1, bessel.i1)
i1e = Ufunc(sp.i1e, bessel.i1e)
it2i0k0 = Ufunc(sp.it2i0k0, results(bessel.it2i0k0))
it2j0y0 = Ufunc(sp.it2j0y0, results(bessel.it2j0y0))
it2struve0 = Ufunc(sp.it2struve0, bessel.it2struve0)
itairy = Ufunc(sp.itairy, results(bessel.itairy))
iti0k0 = Ufunc(sp.iti0k0, results(bessel.iti0k0))
itj0y0 = Ufunc(sp.itj0y0, results(bessel.itj0y0))
itmodstruve0 = Ufunc(sp.itmodstruve0, bessel.itmodstruve0)
itstruve0 = Ufunc(sp.itstruve0, bessel.itstruve0)
iv = Ufunc(sp.iv, bessel.iv)
ive = Ufunc(sp.ive, scaled(bessel.ive, bessel.ive_holomorphic, bessel.sideways))
j0 = Ufunc(sp.j0, bessel.j0)
j1 = Ufunc(sp.j1, bessel.j1)
jv = Ufunc(sp.jv, bessel.jv)
jve = Ufunc(sp.jve, scaled(bessel.jve, bessel.jve_holomorphic, bessel.upward))
k0 = Ufunc(sp.k0, bessel.k0)
k0e = Ufunc(sp.k0e, bessel.k0e)
k1 = Ufunc(sp.k1, bessel.k1)
k1e = Ufunc(sp.k1e, bessel.k1e)
kei = Ufunc(sp.kei, bessel.kei)
keip = Ufunc(sp.keip, bessel.keip)
kelvin = Ufunc(sp.kelvin, results(bessel.kelvin))
ker = Ufunc(sp.ker, bessel.ker)
kerp = Ufunc(sp.kerp, bessel.kerp)
kn = Ufunc(sp.kn, bessel.kn)
kv = Ufunc(sp.kv, bessel.kv)
kve = Ufunc(sp.kve, bessel.kve)
modstruve = Ufunc(sp.modstruve, bessel.modstruve)
struve = Ufunc(sp.struve, bessel.struve)
y0 = Ufunc(sp.y0, bessel.y0)
y1 = Ufunc(sp.y1, bessel.y1)
yn = Ufunc(sp.yn, bessel.yn)
yv = Ufunc(sp.yv, bessel.yv)
yve = Ufunc(sp.yve, scaled(bessel.yve, bessel.yve_holomorphic, bessel.upward))

# Exponential, trigonometric and hyperbolic integrals, inverse functions
exp1 = Ufunc(sp.exp1, integrals.exp1)
expi = Ufunc(sp.expi, integrals.expi)
expn = Ufunc(sp.expn, integrals.expn)
shichi = Ufunc(sp.shichi, results(integrals.shichi))
sici = Ufunc(sp.sici, results(integrals.sici))
spence = Ufunc(sp.spence, integrals.spence)
wrightomega = Ufunc(sp.wrightomega, integrals.wrightomega)

# Elliptic integrals
agm = Ufunc(sp.agm, elliptic.agm)
ellipe = Ufunc(sp.ellipe, elliptic.ellipe)
ellipeinc = Ufunc(sp.ellipeinc, elliptic.ellipeinc)
ellipk = Ufunc(sp.ellipk, elliptic.ellipk)
ellipkinc = Ufunc(sp.ellipkinc, elliptic.ellipkinc)
ellipkm1 = Ufunc(sp.ellipkm1, elliptic.ellipkm1)
elliprc = Ufunc(sp.elliprc, elliptic.elliprc)
elliprd = Ufunc(sp.elliprd, elliptic.elliprd)
elliprf = Ufunc(sp.elliprf, elliptic.elliprf)
elliprg = Ufunc(sp.elliprg, elliptic.elliprg)
elliprj = Ufunc(sp.elliprj, elliptic.elliprj)
ellipj = Ufunc(sp.ellipj, pair(elliptic.ellipj_sn, elliptic.ellipj_cn, elliptic.ellipj_dn, elliptic.ellipj_am))

# Other names
jn = jv
psi = Ufunc(sp.psi, gammas.digamma)
expm1 = Ufunc(sp.expm1, elementwise.expm1)
log1p = Ufunc(sp.log1p, elementwise.log1p)
exp2 = Ufunc(sp.exp2, elementwise.exp2)
cbrt = Ufunc(sp.cbrt, elementwise.cbrt)
round = Ufunc(sp.round, elementwise.rint)  # noqa: A001

__all__ = [
    "agm", "airy", "airye", "bei", "beip", "ber", "berp", "besselpoly", "beta", "betainc", "betaincc", "betainccinv",
    "betaincinv", "betaln", "binom", "boxcox", "boxcox1p", "cbrt", "cosdg", "cosm1", "cotdg", "dawsn", "digamma",
    "ellipe", "ellipeinc", "ellipj", "ellipk", "ellipkinc", "ellipkm1", "elliprc", "elliprd", "elliprf", "elliprg",
    "elliprj", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfi", "erfinv", "exp1", "exp2", "exp10", "expi", "expit",
    "expm1", "expn", "exprel", "fresnel", "gamma", "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammaln",
    "gammasgn", "hankel1", "hankel1e", "hankel2", "hankel2e", "huber", "i0", "i0e", "i1", "i1e", "inv_boxcox",
    "inv_boxcox1p", "it2i0k0", "it2j0y0", "it2struve0", "itairy", "iti0k0", "itj0y0", "itmodstruve0", "itstruve0",
    "iv", "ive", "j0", "j1", "jn", "jv", "jve", "k0", "k0e", "k1", "k1e", "kei", "keip", "kelvin", "ker", "kerp",
    "kl_div", "kn", "kv", "kve", "log1p", "log_expit", "log_ndtr", "loggamma", "logit", "modfresnelm", "modfresnelp",
    "modstruve", "ndtr", "ndtri", "ndtri_exp", "poch", "powm1", "pseudo_huber", "psi", "radian", "rel_entr", "rgamma",
    "round", "shichi", "sici", "sindg", "spence", "struve", "tandg", "voigt_profile", "wofz", "wrightomega", "xlog1py",
    "xlogy", "y0", "y1", "yn", "yv", "yve", "zetac",
]  # fmt: skip
