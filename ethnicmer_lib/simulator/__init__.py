"""A cohort of rendered heads that move by Action Units, so that the true motion and the true group effect are known."""
