"""Settings of Hypothesis: the same examples in every run, unless HYPOTHESIS_PROFILE=explore asks for many new ones."""

import os

from hypothesis import HealthCheck, settings

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=_slow)
settings.register_profile("explore", deadline=None, max_examples=1000, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
