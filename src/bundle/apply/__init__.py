"""Carries out a plan: writes, waits, looks again, and gives every record one outcome."""
