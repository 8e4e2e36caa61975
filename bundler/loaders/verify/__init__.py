"""Does a step's result still do what the source does? Everything here but `agreement` runs in child processes."""
