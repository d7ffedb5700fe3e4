"""Builders and built configurations followed through a file: through functions, methods, attributes and containers.

`trace.py` finds what every expression may be: `assignments.py` puts what `evaluation.py` finds into `places.py`, again
and again, until nothing is new. `uses.py` refuses what can't be followed, `reading.py` collects what is set where.
`dictionaries.py` writes builders as dictionaries, `renamed_keys.py` what reads them, `function.py` the train function.
"""
