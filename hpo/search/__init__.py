"""Decisions of the search: samplers, pruners, successive halving, scheduler, confirmation, best trial, Pareto front."""
