"""Pictures and video frames of a run or a recording, without a window."""
