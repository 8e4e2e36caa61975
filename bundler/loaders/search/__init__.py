"""How `auto` finds its recipe. Runs in the loader's child process."""
