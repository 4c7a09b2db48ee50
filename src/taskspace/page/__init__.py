"""The page: one static front end, served over REST or written as a file that needs nothing else."""
