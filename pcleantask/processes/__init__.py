"""Processes that compute for another, on this machine or on the ranks of an MPI job; nothing here knows imaging."""
