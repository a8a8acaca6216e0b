"""Tests of teams, workers, hubs and MPI."""
