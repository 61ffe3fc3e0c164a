"""Rows for ufuncs of mathematical physics, orthogonal polynomials and distributions; see `ufuncs`."""

from __future__ import annotations

import scipy.special

from wengert.numpy.universal import Ufunc
from wengert.rules.special import distributions, hypergeometric, noncentral, orthogonal
from wengert.rules.special.common import sp
from wengert.scipy.special.ufuncs import pair

# Hypergeometric, parabolic cylinder, Mathieu and spheroidal wave functions
hyp0f1 = Ufunc(sp.hyp0f1, hypergeometric.hyp0f1)
hyp1f1 = Ufunc(sp.hyp1f1, hypergeometric.hyp1f1)
hyp2f1 = Ufunc(sp.hyp2f1, hypergeometric.hyp2f1)
hyperu = Ufunc(sp.hyperu, hypergeometric.hyperu)
mathieu_a = Ufunc(sp.mathieu_a, hypergeometric.mathieu_a)
mathieu_b = Ufunc(sp.mathieu_b, hypergeometric.mathieu_b)
mathieu_cem = Ufunc(sp.mathieu_cem, pair(hypergeometric.mathieu_cem, hypergeometric.mathieu_cem_slope))
mathieu_modcem1 = Ufunc(sp.mathieu_modcem1, pair(hypergeometric.mathieu_modcem1, hypergeometric.mathieu_modcem1_slope))
mathieu_modcem2 = Ufunc(sp.mathieu_modcem2, pair(hypergeometric.mathieu_modcem2, hypergeometric.mathieu_modcem2_slope))
mathieu_modsem1 = Ufunc(sp.mathieu_modsem1, pair(hypergeometric.mathieu_modsem1, hypergeometric.mathieu_modsem1_slope))
mathieu_modsem2 = Ufunc(sp.mathieu_modsem2, pair(hypergeometric.mathieu_modsem2, hypergeometric.mathieu_modsem2_slope))
mathieu_sem = Ufunc(sp.mathieu_sem, pair(hypergeometric.mathieu_sem, hypergeometric.mathieu_sem_slope))
obl_ang1 = Ufunc(sp.obl_ang1, pair(hypergeometric.obl_ang1, hypergeometric.obl_ang1_slope))
obl_ang1_cv = Ufunc(sp.obl_ang1_cv, pair(hypergeometric.obl_ang1_cv, hypergeometric.obl_ang1_cv_slope))
obl_cv = Ufunc(sp.obl_cv, hypergeometric.obl_cv)
obl_rad1 = Ufunc(sp.obl_rad1, pair(hypergeometric.obl_rad1, hypergeometric.obl_rad1_slope))
obl_rad1_cv = Ufunc(sp.obl_rad1_cv, pair(hypergeometric.obl_rad1_cv, hypergeometric.obl_rad1_cv_slope))
obl_rad2 = Ufunc(sp.obl_rad2, pair(hypergeometric.obl_rad2, hypergeometric.obl_rad2_slope))
obl_rad2_cv = Ufunc(sp.obl_rad2_cv, pair(hypergeometric.obl_rad2_cv, hypergeometric.obl_rad2_cv_slope))
pbdv = Ufunc(sp.pbdv, pair(hypergeometric.pbdv, hypergeometric.pbdv_slope))
pbvv = Ufunc(sp.pbvv, pair(hypergeometric.pbvv, hypergeometric.pbvv_slope))
pbwa = Ufunc(sp.pbwa, pair(hypergeometric.pbwa, hypergeometric.pbwa_slope))
pro_ang1 = Ufunc(sp.pro_ang1, pair(hypergeometric.pro_ang1, hypergeometric.pro_ang1_slope))
pro_ang1_cv = Ufunc(sp.pro_ang1_cv, pair(hypergeometric.pro_ang1_cv, hypergeometric.pro_ang1_cv_slope))
pro_cv = Ufunc(sp.pro_cv, hypergeometric.pro_cv)
pro_rad1 = Ufunc(sp.pro_rad1, pair(hypergeometric.pro_rad1, hypergeometric.pro_rad1_slope))
pro_rad1_cv = Ufunc(sp.pro_rad1_cv, pair(hypergeometric.pro_rad1_cv, hypergeometric.pro_rad1_cv_slope))
pro_rad2 = Ufunc(sp.pro_rad2, pair(hypergeometric.pro_rad2, hypergeometric.pro_rad2_slope))
pro_rad2_cv = Ufunc(sp.pro_rad2_cv, pair(hypergeometric.pro_rad2_cv, hypergeometric.pro_rad2_cv_slope))
wright_bessel = Ufunc(sp.wright_bessel, hypergeometric.wright_bessel)
if hasattr(scipy.special, "log_wright_bessel"):  # SciPy 1.14
    log_wright_bessel = Ufunc(sp.log_wright_bessel, hypergeometric.log_wright_bessel)

# Orthogonal polynomials and Legendre functions
eval_chebyc = Ufunc(sp.eval_chebyc, orthogonal.eval_chebyc)
eval_chebys = Ufunc(sp.eval_chebys, orthogonal.eval_chebys)
eval_chebyt = Ufunc(sp.eval_chebyt, orthogonal.eval_chebyt)
eval_chebyu = Ufunc(sp.eval_chebyu, orthogonal.eval_chebyu)
eval_gegenbauer = Ufunc(sp.eval_gegenbauer, orthogonal.eval_gegenbauer)
eval_genlaguerre = Ufunc(sp.eval_genlaguerre, orthogonal.eval_genlaguerre)
eval_hermite = Ufunc(sp.eval_hermite, orthogonal.eval_hermite)
eval_hermitenorm = Ufunc(sp.eval_hermitenorm, orthogonal.eval_hermitenorm)
eval_jacobi = Ufunc(sp.eval_jacobi, orthogonal.eval_jacobi)
eval_laguerre = Ufunc(sp.eval_laguerre, orthogonal.eval_laguerre)
eval_legendre = Ufunc(sp.eval_legendre, orthogonal.eval_legendre)
eval_sh_chebyt = Ufunc(sp.eval_sh_chebyt, orthogonal.eval_sh_chebyt)
eval_sh_chebyu = Ufunc(sp.eval_sh_chebyu, orthogonal.eval_sh_chebyu)
eval_sh_jacobi = Ufunc(sp.eval_sh_jacobi, orthogonal.eval_sh_jacobi)
eval_sh_legendre = Ufunc(sp.eval_sh_legendre, orthogonal.eval_sh_legendre)
lpmv = Ufunc(sp.lpmv, orthogonal.lpmv)

# Distributions
bdtr = Ufunc(sp.bdtr, distributions.bdtr)
bdtrc = Ufunc(sp.bdtrc, distributions.bdtrc)
bdtri = Ufunc(sp.bdtri, distributions.bdtri)
bdtrik = Ufunc(sp.bdtrik, distributions.bdtrik)
bdtrin = Ufunc(sp.bdtrin, distributions.bdtrin)
btdtria = Ufunc(sp.btdtria, distributions.btdtria)
btdtrib = Ufunc(sp.btdtrib, distributions.btdtrib)
chdtr = Ufunc(sp.chdtr, distributions.chdtr)
chdtrc = Ufunc(sp.chdtrc, distributions.chdtrc)
chdtri = Ufunc(sp.chdtri, distributions.chdtri)
chdtriv = Ufunc(sp.chdtriv, distributions.chdtriv)
chndtr = Ufunc(sp.chndtr, noncentral.chndtr)
chndtridf = Ufunc(sp.chndtridf, noncentral.chndtridf)
chndtrinc = Ufunc(sp.chndtrinc, noncentral.chndtrinc)
chndtrix = Ufunc(sp.chndtrix, noncentral.chndtrix)
fdtr = Ufunc(sp.fdtr, distributions.fdtr)
fdtrc = Ufunc(sp.fdtrc, distributions.fdtrc)
fdtri = Ufunc(sp.fdtri, distributions.fdtri)
fdtridfd = Ufunc(sp.fdtridfd, distributions.fdtridfd)
gdtr = Ufunc(sp.gdtr, distributions.gdtr)
gdtrc = Ufunc(sp.gdtrc, distributions.gdtrc)
gdtria = Ufunc(sp.gdtria, distributions.gdtria)
gdtrib = Ufunc(sp.gdtrib, distributions.gdtrib)
gdtrix = Ufunc(sp.gdtrix, distributions.gdtrix)
kolmogi = Ufunc(sp.kolmogi, distributions.kolmogi)
kolmogorov = Ufunc(sp.kolmogorov, distributions.kolmogorov)
nbdtr = Ufunc(sp.nbdtr, distributions.nbdtr)
nbdtrc = Ufunc(sp.nbdtrc, distributions.nbdtrc)
nbdtri = Ufunc(sp.nbdtri, distributions.nbdtri)
nbdtrik = Ufunc(sp.nbdtrik, distributions.nbdtrik)
nbdtrin = Ufunc(sp.nbdtrin, distributions.nbdtrin)
ncfdtr = Ufunc(sp.ncfdtr, noncentral.ncfdtr)
ncfdtri = Ufunc(sp.ncfdtri, noncentral.ncfdtri)
ncfdtridfd = Ufunc(sp.ncfdtridfd, noncentral.ncfdtridfd)
ncfdtridfn = Ufunc(sp.ncfdtridfn, noncentral.ncfdtridfn)
ncfdtrinc = Ufunc(sp.ncfdtrinc, noncentral.ncfdtrinc)
nctdtr = Ufunc(sp.nctdtr, noncentral.nctdtr)
nctdtridf = Ufunc(sp.nctdtridf, noncentral.nctdtridf)
nctdtrinc = Ufunc(sp.nctdtrinc, noncentral.nctdtrinc)
nctdtrit = Ufunc(sp.nctdtrit, noncentral.nctdtrit)
nrdtrimn = Ufunc(sp.nrdtrimn, distributions.nrdtrimn)
nrdtrisd = Ufunc(sp.nrdtrisd, distributions.nrdtrisd)
owens_t = Ufunc(sp.owens_t, distributions.owens_t)
pdtr = Ufunc(sp.pdtr, distributions.pdtr)
pdtrc = Ufunc(sp.pdtrc, distributions.pdtrc)
pdtri = Ufunc(sp.pdtri, distributions.pdtri)
pdtrik = Ufunc(sp.pdtrik, distributions.pdtrik)
smirnov = Ufunc(sp.smirnov, distributions.smirnov)
smirnovi = Ufunc(sp.smirnovi, distributions.smirnovi)
stdtr = Ufunc(sp.stdtr, distributions.stdtr)
stdtridf = Ufunc(sp.stdtridf, distributions.stdtridf)
stdtrit = Ufunc(sp.stdtrit, distributions.stdtrit)
tklmbda = Ufunc(sp.tklmbda, distributions.tklmbda)

__all__ = [
    "bdtr", "bdtrc", "bdtri", "bdtrik", "bdtrin", "btdtria", "btdtrib", "chdtr", "chdtrc", "chdtri", "chdtriv",
    "chndtr", "chndtridf", "chndtrinc", "chndtrix", "eval_chebyc", "eval_chebys", "eval_chebyt", "eval_chebyu",
    "eval_gegenbauer", "eval_genlaguerre", "eval_hermite", "eval_hermitenorm", "eval_jacobi", "eval_laguerre",
    "eval_legendre", "eval_sh_chebyt", "eval_sh_chebyu", "eval_sh_jacobi", "eval_sh_legendre", "fdtr", "fdtrc",
    "fdtri", "fdtridfd", "gdtr", "gdtrc", "gdtria", "gdtrib", "gdtrix", "hyp0f1", "hyp1f1", "hyp2f1", "hyperu",
    "kolmogi", "kolmogorov", "lpmv", "mathieu_a", "mathieu_b", "mathieu_cem", "mathieu_modcem1", "mathieu_modcem2",
    "mathieu_modsem1", "mathieu_modsem2", "mathieu_sem", "nbdtr", "nbdtrc", "nbdtri", "nbdtrik", "nbdtrin", "ncfdtr",
    "ncfdtri", "ncfdtridfd", "ncfdtridfn", "ncfdtrinc", "nctdtr", "nctdtridf", "nctdtrinc", "nctdtrit", "nrdtrimn",
    "nrdtrisd", "obl_ang1", "obl_ang1_cv", "obl_cv", "obl_rad1", "obl_rad1_cv", "obl_rad2", "obl_rad2_cv", "owens_t",
    "pbdv", "pbvv", "pbwa", "pdtr", "pdtrc", "pdtri", "pdtrik", "pro_ang1", "pro_ang1_cv", "pro_cv", "pro_rad1",
    "pro_rad1_cv", "pro_rad2", "pro_rad2_cv", "smirnov", "smirnovi", "stdtr", "stdtridf", "stdtrit", "tklmbda",
    "wright_bessel",
]  # fmt: skip
if hasattr(scipy.special, "log_wright_bessel"):
    __all__ += ["log_wright_bessel"]
