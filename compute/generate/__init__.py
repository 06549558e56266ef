"""Token by token: generation, the record of each step, and the replay of known text."""
