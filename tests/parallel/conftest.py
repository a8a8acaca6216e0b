"""The two sides of an agreement, tclean and pclean, for the tests of parallel runs too."""

from test_agreement import candidate, folders, oracle  # noqa: F401  fixtures
