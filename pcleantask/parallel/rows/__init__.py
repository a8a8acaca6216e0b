"""A continuum image by shares of the rows: workers grid them, and all the rest is done in one place."""
