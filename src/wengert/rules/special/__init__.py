"""Special functions of `scipy.special`: partial derivatives, in the form that does not cancel.

Formulas are those of the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov), whose equation numbers
the comments give. Derivatives with respect to orders, degrees and most parameters have no closed form: asking for one
is an error. `common` has what the families share.
"""

from wengert.rules.special.log_sums import logsumexp as logsumexp
from wengert.rules.special.log_sums import shift as shift
