"""What this machine has, what is missing, and the commands that install it."""
