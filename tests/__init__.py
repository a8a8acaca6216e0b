"""Tests, in folders as the package has them; each file is named after the module it guards."""
