"""Densities, distribution functions and quantiles of `scipy.stats`, differentiable in the argument and all parameters.

``norm.logpdf(x, loc, scale)`` and frozen distributions, ``norm(loc, scale).logpdf(x)``, as in SciPy; results are in
double precision, as there. Written with special functions: nothing of `scipy.stats` is imported. A distribution states
its formulas in `continuous`, `discrete` or `multivariate`; all the rest is in `distributions`.
"""

from wengert.scipy import continuous as c
from wengert.scipy import discrete as d
from wengert.scipy.multivariate import dirichlet, multinomial, multivariate_normal, multivariate_t

beta = c.Beta("beta")
cauchy = c.Cauchy("cauchy")
chi = c.Chi("chi")
chi2 = c.Chi2("chi2")
expon = c.Expon("expon")
f = c.F("f")
gamma = c.Gamma("gamma")
gumbel_l = c.GumbelL("gumbel_l")
gumbel_r = c.GumbelR("gumbel_r")
halfcauchy = c.HalfCauchy("halfcauchy")
halfnorm = c.HalfNorm("halfnorm")
invgamma = c.InvGamma("invgamma")
invgauss = c.InvGauss("invgauss")
laplace = c.Laplace("laplace")
logistic = c.Logistic("logistic")
lognorm = c.LogNorm("lognorm")
norm = c.Norm("norm")
pareto = c.Pareto("pareto")
rayleigh = c.Rayleigh("rayleigh")
skewnorm = c.SkewNorm("skewnorm")
t = c.T("t")
truncnorm = c.TruncNorm("truncnorm")
uniform = c.Uniform("uniform")
vonmises = c.VonMises("vonmises")
weibull_min = c.WeibullMin("weibull_min")

bernoulli = d.Bernoulli("bernoulli")
betabinom = d.BetaBinom("betabinom")
binom = d.Binom("binom")
geom = d.Geom("geom")
nbinom = d.NBinom("nbinom")
poisson = d.Poisson("poisson")

__all__ = [
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi",
    "chi2",
    "dirichlet",
    "expon",
    "f",
    "gamma",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "halfcauchy",
    "halfnorm",
    "invgamma",
    "invgauss",
    "laplace",
    "logistic",
    "lognorm",
    "multinomial",
    "multivariate_normal",
    "multivariate_t",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "rayleigh",
    "skewnorm",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "weibull_min",
]
