"""An atlas as a Hub data set repository, and back."""
