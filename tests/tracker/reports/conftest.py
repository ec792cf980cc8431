"""A site for the reports, and a writer of its history."""

import pytest

from tests.tracker.reports import history as histories
from tracker import db as tracker_db
from tracker.sites import Site


@pytest.fixture
async def site(db: tracker_db.Connection) -> Site:
    return await histories.make_site(db)


@pytest.fixture
def history(db: tracker_db.Connection, site: Site) -> histories.History:
    return histories.History(db, site)
