"""Work shared by processes comes back as one process would give it."""

import operator

from pixsearch.model.processes import on_all_cores


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(on_all_cores(operator.mul, 3, range(40))) == [3 * item for item in range(40)]
