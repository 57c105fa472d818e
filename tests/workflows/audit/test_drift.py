"""Groups of the audited images and of the run's test images are numbered apart."""

import numpy as np

from deepsight.workflows.audit.drift import feature_drift_findings, groups_of_both

LABELS = np.zeros(200, dtype=np.int64)
GROUP = np.repeat(np.arange(40), 5)


def test_a_number_of_one_data_set_is_no_group_of_the_other() -> None:
    both = groups_of_both(np.array([3, 3, 0]), np.array([3, -2, 3]), (3, 3))
    assert both is not None
    same = both[:, None] == both
    assert same.sum() == 6 + 2 * 2
    assert same[0, 1]
    assert same[3, 5]
    assert groups_of_both(None, None, (3, 3)) is None
    mixed = groups_of_both(None, np.array([0, 0, 1]), (3, 3))
    assert mixed is not None
    assert len(np.unique(mixed)) == 5


def test_copies_of_the_same_group_are_no_drift_and_one_group_is_refused() -> None:
    before, now = np.random.default_rng(0).normal(size=(2, 40, 90))[:, GROUP].astype(np.float16)
    drifted = {}
    for name, each in {"none": None, "groups": GROUP}.items():
        groups = groups_of_both(each, each, (200, 200))
        found = feature_drift_findings(before, now, LABELS, LABELS, ("cat",), groups=groups, seed=0)
        drifted[name] = found.evidence["feature_drift"].frame["drifted"].to_list()
    assert drifted == {"none": [True] * 2, "groups": [False] * 2}
    alone = feature_drift_findings(
        before, now, LABELS, LABELS, ("cat",), groups=np.zeros(400, np.int64), seed=0
    )
    assert "feature_drift" not in alone.evidence
    assert "one group" in alone.refusals[0].reason
