"""Top k of intervals by DuckDB, over an export (FILE.parquet) or the tables (FILE.sqlite) of a store.

Standard input has an interval a line: from and to in milliseconds, k. Standard output begins with a line that names who
answers, and has a line for each interval: seconds, then keys and counts, all with tabs between.

The tables need DuckDB's extension for SQLite: `pip install duckdb duckdb-extensions duckdb-extension-sqlite-scanner`. Where
it is not installed, SQLite itself is asked.
"""

import sqlite3
import sys
import time
from datetime import datetime, timedelta, timezone

import duckdb

TOP = """SELECT key, sum(count) FROM {} WHERE window_start >= ? AND window_start < ?
         GROUP BY key ORDER BY 2 DESC, 1 LIMIT ?"""


def moment(milliseconds):
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)


def rfc3339(milliseconds):
    return moment(milliseconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def parquet(path):
    return f"DuckDB {duckdb.__version__} over Parquet", duckdb.connect(), TOP.format(f"read_parquet('{path}')"), moment


def tables(path):
    try:
        connection = duckdb.connect()
        load_extension(connection)
        connection.execute(f"ATTACH '{path}' AS store (TYPE sqlite, READ_ONLY)")
        return f"DuckDB {duckdb.__version__} over SQLite", connection, TOP.format("store.hitters_minute"), rfc3339
    except duckdb.Error:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        return f"SQLite {sqlite3.sqlite_version}", connection, TOP.format("hitters_minute"), rfc3339


def load_extension(connection):
    try:
        from duckdb_extensions import import_extension

        import_extension("sqlite_scanner")
    except (ImportError, RuntimeError, duckdb.Error):
        pass  # It may be where DuckDB itself has put it.
    connection.execute("LOAD sqlite_scanner")


path = sys.argv[1]
name, connection, ask, time_of = tables(path) if path.endswith(".sqlite") else parquet(path)
print(name)
for line in sys.stdin:
    start, end, k = map(int, line.split())
    began = time.perf_counter()
    rows = connection.execute(ask, [time_of(start), time_of(end), k]).fetchall()
    print(time.perf_counter() - began, *(text for key, count in rows for text in (key, count)), sep="\t")
