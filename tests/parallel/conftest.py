"""The two sides of an agreement, tclean and pclean, for the tests of parallel runs too."""

from tests.agreement.test_agreement import candidate, folders, oracle  # noqa: F401  fixtures
