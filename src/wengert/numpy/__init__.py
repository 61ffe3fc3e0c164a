"""NumPy's namespace, differentiable: ``import wengert.numpy as np``."""

from wengert.numpy import methods as _methods
from wengert.numpy.contraction import *  # noqa: F403
from wengert.numpy.creation import *  # noqa: F403
from wengert.numpy.indexing import *  # noqa: F403
from wengert.numpy.reductions import *  # noqa: F403
from wengert.numpy.shaping import *  # noqa: F403
from wengert.numpy.sorting import *  # noqa: F403
from wengert.numpy.ufuncs import *  # noqa: F403
