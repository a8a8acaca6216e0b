"""A cube in slabs of channels: workers image them, and what the whole cube must decide is decided in one place."""
