"""Top k of intervals by DuckDB, over an export (FILE.parquet) or the tables (FILE.sqlite) of a store.

Standard input has an interval a line: from and to in milliseconds, k. Standard output has a line for each: seconds, then keys
and counts, all with tabs between. The tables need DuckDB's sqlite extension; where it is not installed, SQLite itself is asked.
"""

import sqlite3
import sys
import time

import duckdb

TABLES = "SELECT key, sum(count) FROM {} WHERE window_start >= {} AND window_start < {} GROUP BY key ORDER BY 2 DESC, 1 LIMIT ?"


def parquet(path):
    ask = f"""SELECT key, sum(count) FROM read_parquet('{path}')
              WHERE window_start >= make_timestamptz(? * 1000) AND window_start < make_timestamptz(? * 1000)
              GROUP BY key ORDER BY 2 DESC, 1 LIMIT ?"""
    connection = duckdb.connect()
    return lambda start, end, k: connection.execute(ask, [start, end, k]).fetchall()


def tables(path):
    rfc3339 = "strftime('%Y-%m-%dT%H:%M:%SZ', ? / 1000, 'unixepoch')"
    try:
        connection = duckdb.connect()
        connection.execute("LOAD sqlite")
        connection.execute(f"ATTACH '{path}' AS store (TYPE sqlite, READ_ONLY)")
        ask = TABLES.format("store.hitters_minute", "?", "?")
        texts = sqlite3.connect(":memory:")
        text = lambda at: texts.execute(f"SELECT {rfc3339}", [at]).fetchone()[0]
        return lambda start, end, k: connection.execute(ask, [text(start), text(end), k]).fetchall()
    except duckdb.Error:
        ask = TABLES.format("hitters_minute", rfc3339, rfc3339)
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        return lambda start, end, k: connection.execute(ask, [start, end, k]).fetchall()


path = sys.argv[1]
answer = tables(path) if path.endswith(".sqlite") else parquet(path)
for line in sys.stdin:
    start, end, k = map(int, line.split())
    began = time.perf_counter()
    rows = answer(start, end, k)
    print(time.perf_counter() - began, *(text for key, count in rows for text in (key, count)), sep="\t")
