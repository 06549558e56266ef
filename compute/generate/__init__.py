"""Token by token: a generation, the record of each step, and the replay of known text."""
