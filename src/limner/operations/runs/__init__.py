"""Runs: trainings that are asked for, carried out in a process of their own, looked at, promoted."""
