"""Windows are spread over the processors, and nothing else is."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from taskspace.merging import TaskVector
from taskspace.merging.ahead import in_order


class Watched:
    """Differences in memory that note how many threads BLAS would take when they are asked for."""

    def __init__(self, carrier):
        self.carrier, self.layout, self.whole, self.seen = carrier, carrier.layout, carrier.whole, set()

    def block(self, window):
        self.seen |= {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        return self.carrier.block(window)

    def identity(self):
        return self.carrier.identity()


def test_matrix_products_take_one_thread_while_a_merge_is_written(tmp_path):
    with threadpool_limits(2, user_api="blas"):
        before = threadpool_info()
        carrier = Watched(TaskVector.from_arrays({"a": np.ones((4, 3), np.float32)}).carrier)
        TaskVector(carrier).apply({"a": np.zeros((4, 3), np.float32)}, tmp_path / "merged.safetensors")
        assert threadpool_info() == before
    assert carrier.seen == {1}


def test_results_come_in_the_order_of_what_was_asked():
    for workers in (1, 2, 4):
        assert list(in_order(lambda n: n * n, range(50), workers)) == [n * n for n in range(50)]
