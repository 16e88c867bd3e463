"""A Prefect 3.8.8 server in memory: the routes that xfer uses, with the behaviour that matters to it.

What a real server would answer was measured on one; ``tests/integration/fake_agrees``
asks both the same. Left out on purpose: runs (but for their number), permissions,
and checks of job variables and parameters against their schemas.

``bodies`` says what each request body may hold, ``store`` how rows are kept; what is
special about a kind stands in the module of its name. ``promises`` says what each write of xfer must keep.
"""

from support.fake_prefect.block_schemas import BUILT_IN
from support.fake_prefect.bodies import FIELDS
from support.fake_prefect.server import RUN_HEADER, FakePrefect, How
from support.fake_prefect.store import TABLES

__all__ = ["BUILT_IN", "FIELDS", "RUN_HEADER", "TABLES", "FakePrefect", "How"]
