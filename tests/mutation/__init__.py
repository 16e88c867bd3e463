"""Mutation runs: a change to a guard that no test notices is a guard that nothing holds.

``python -m mutation --help``, with ``tests`` on the path, or ``tox -e mutation``; ``docs/mutation.md`` has the scores.
"""
