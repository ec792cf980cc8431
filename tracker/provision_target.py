"""A pool's `target` in the file: whom the pool is for. Pure."""

from numberpool.targeting import DEVICES, Origin, Target
from tracker.tables import Table

MOST = 100  # patterns of one kind; they are tried one after another at every visit
NOTHING = "must name at least one of sources, paths, regions, devices, traffic"


def read(pool: Table) -> Target | None:
    """Whom the pool is for; None: nothing is said."""
    table = pool.optional("target")
    if table is None:
        return None
    origins = table.tables("sources", meant="tables such as { source = 'yandex' }")
    target = Target(
        sources=tuple(_origin(one) for one in origins[:MOST]),
        paths=table.texts("paths", like="paths such as /moscow/*"),
        regions=table.texts("regions", like="names such as Moscow"),
        devices=table.texts("devices", like=" or ".join(DEVICES)),
        traffic=table.fraction("traffic", 1.0),
    )
    table.done()
    for name in ("sources", "paths", "regions", "devices"):
        given = table.given.get(name)
        if given == []:
            table.refuse(name, "must have at least one, or be left out")
        if isinstance(given, list) and len(given) > MOST:
            table.refuse(name, f"must have at most {MOST}")
    for index, path in enumerate(target.paths):
        if not path.startswith(("/", "*")):
            table.refuse("paths", "must begin with / as in /moscow/*", index)
    for index, device in enumerate(target.devices):
        if device not in DEVICES:
            table.refuse("devices", f"must be {' or '.join(DEVICES)}", index)
    if not table.given:
        pool.refuse("target", NOTHING)
    return target


def _origin(table: Table) -> Origin:
    names = ("source", "medium", "campaign")
    origin = Origin(**{name: table.text(name, needed=False) for name in names})
    table.done()
    if not table.given:
        table.refuse("", f"must name at least one of {', '.join(names)}")
    return origin
