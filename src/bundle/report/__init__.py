"""What a command found or did: as values, and as text or JSON made from them.

One module for each command: ``report`` makes the values from the result of the use case, ``layout`` the
lines of text. ``model`` is the published form (``schemas/report-1.schema.json``), ``counting`` adds up
and decides on the exit code. ``text`` and ``json`` print the same report, so neither says what the
other does not know; both escape everything, so that no layout has to.
"""
