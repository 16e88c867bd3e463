"""What a command found, as values, and how that is shown.

``model`` is the published form (``schemas/report-1.schema.json``); ``account`` makes it out of the
results of the use cases; ``text`` and ``json`` turn it into what is printed. Text and JSON are made
from the same report, so neither says what the other does not know.
"""
