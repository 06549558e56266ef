"""Long work in steps: a step begins only after the GPU has finished the previous one."""

from __future__ import annotations

import pytest
import wgpu

from compute.gpu import loading
from compute.gpu.loading import Loading, finished, paced

pytestmark = pytest.mark.gpu


class Fence:
    """A fence that the test settles."""

    def __init__(self) -> None:
        self.done = self.failed = False


def steps(begun: list[int]) -> Loading[str]:
    for number in range(3):
        begun.append(number)
        yield "steps", number / 2
    return "made"


def test_a_step_waits_for_the_previous_one(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    fences: list[Fence] = []

    def fence(_: wgpu.GPUDevice) -> Fence:
        fences.append(Fence())
        return fences[-1]

    monkeypatch.setattr(loading, "work_done", fence)
    begun: list[int] = []
    work = paced(device, steps(begun))
    assert [next(work) for _ in range(4)] == [("steps", 0.0)] * 4
    assert begun == [0]
    fences[0].done = True
    assert [next(work) for _ in range(2)] == [("steps", 0.5)] * 2
    fences[1].failed = True  # a lost device is reported elsewhere
    assert next(work) == ("steps", 1.0)
    fences[2].done = True
    with pytest.raises(StopIteration) as end:
        next(work)
    assert end.value.value == "made"
    assert begun == [0, 1, 2]


def test_paced_steps_finish_on_a_device(device: wgpu.GPUDevice) -> None:
    begun: list[int] = []
    assert finished(paced(device, steps(begun))) == "made"
    assert begun == [0, 1, 2]
