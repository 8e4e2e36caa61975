"""What an output folder costs and does: in a real browser, against budgets, over time. Reads emitted files only."""
