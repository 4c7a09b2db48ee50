"""Several that find no atlas make one, and it is one."""

from __future__ import annotations

import threading

from taskspace import Atlas


def test_whoever_comes_first_makes_it_and_nobody_fails(tmp_path):
    wrong = []

    def make(path, together):
        together.wait()
        try:
            Atlas(path).close()
        except Exception as error:  # told below, by the thread that counts
            wrong.append(str(error))

    for turn in range(40):
        together = threading.Barrier(4)
        threads = [threading.Thread(target=make, args=(tmp_path / f"{turn}.db", together)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
