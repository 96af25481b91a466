"""The tables of a journal, and the sums that its triggers keep."""

# Sums over all windows, kept as they change: a sum of ten thousand rows after each window would take longer each time.
SUMS = ("windows", "examples", "records", "damaged", "others", "late", "size", "removed")


def _added(row: str, sign: str) -> str:
    """SQL that adds a row of a window to the totals of its state, or takes it away."""
    values = {"windows": "1", "late": f"{row}.records * {row}.late"}
    values |= {name: f"{row}.{name}" for name in SUMS if name not in values}
    names = ", ".join(SUMS)
    new = ", ".join(f"{sign}({values[name]})" for name in SUMS)
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    return f"INSERT INTO totals (state, {names}) VALUES ({row}.state, {new}) ON CONFLICT (state) DO UPDATE SET {sums};"  # noqa: S608


_CREATED = """
CREATE TABLE windows (
  number INTEGER PRIMARY KEY, state TEXT NOT NULL, version INTEGER NOT NULL, bundle TEXT NOT NULL,
  late INTEGER NOT NULL, opened_wall REAL NOT NULL, opened_monotonic REAL NOT NULL, opened_boot TEXT NOT NULL,
  examples INTEGER NOT NULL, records INTEGER NOT NULL, others INTEGER NOT NULL, damaged INTEGER NOT NULL,
  first_request REAL, last_request REAL, until REAL, closed TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, files TEXT NOT NULL,
  closed_at REAL, attempts INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0,
  problem TEXT NOT NULL DEFAULT '', record TEXT, place INTEGER UNIQUE,
  size INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX by_state ON windows (state, number);
CREATE INDEX by_end ON windows (version, until) WHERE late = 0 AND state != 'open';
CREATE TABLE files (
  place TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, device INTEGER NOT NULL,
  inode INTEGER NOT NULL, records INTEGER NOT NULL, whole INTEGER NOT NULL, torn INTEGER NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE totals (
  state TEXT PRIMARY KEY, windows INTEGER NOT NULL, examples INTEGER NOT NULL, records INTEGER NOT NULL,
  damaged INTEGER NOT NULL, others INTEGER NOT NULL, late INTEGER NOT NULL, size INTEGER NOT NULL,
  removed INTEGER NOT NULL
);
CREATE TABLE told (hook TEXT PRIMARY KEY, place INTEGER NOT NULL);
CREATE TABLE events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
"""
_TRIGGERS = tuple(
    f"CREATE TRIGGER {name} AFTER {event} ON windows BEGIN {' '.join(changes)} END"
    for name, event, changes in (
        ("added", "INSERT", [_added("NEW", "+")]),
        ("changed", "UPDATE", [_added("OLD", "-"), _added("NEW", "+")]),
    )
)
TABLES = (*filter(str.strip, _CREATED.split(";")), *_TRIGGERS)
# Of windows that nothing more becomes of, which are looked at after each that is judged. Older journals get it later.
LATER = "CREATE INDEX IF NOT EXISTS ended ON windows (number) WHERE removed = 0 AND state NOT IN ('open', 'closed')"
