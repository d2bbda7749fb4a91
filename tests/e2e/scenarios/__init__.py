"""All scenarios: functions of a Case, in the order in which they run."""

from . import deletion, examples, kills, life, obstacles, storage, trials

#: Those that may run beside each other.
TOGETHER = [
    *examples.SCENARIOS,
    *storage.SCENARIOS,
    *trials.SCENARIOS,
    *obstacles.SCENARIOS,
    *life.SCENARIOS,
    *deletion.SCENARIOS,
]
#: Those that need the cluster, or the controller, for themselves.
ALONE = kills.SCENARIOS
