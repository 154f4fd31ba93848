"""A tour of Python for a translated interpreter: what it prints depends on nothing but its own text."""

import base64
import binascii
import bisect
import collections
import contextlib
import csv
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import heapq
import io
import itertools
import json
import math
import os
import pickle
import random
import re
import statistics
import string
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import zlib


def section(title):
    print(f"== {title} ==")


@dataclasses.dataclass(order=True)
class Account:
    name: str
    balance: decimal.Decimal = decimal.Decimal(0)
    history: list = dataclasses.field(default_factory=list, compare=False)

    def pay(self, other, amount):
        if amount > self.balance:
            raise ValueError(f"{self.name} has only {self.balance}")
        self.balance -= amount
        other.balance += amount
        self.history.append((other.name, str(amount)))


class Colour(enum.Flag):
    RED = enum.auto()
    GREEN = enum.auto()
    BLUE = enum.auto()


section("objects")
alice, bob = Account("alice", decimal.Decimal("100.10")), Account("bob")
alice.pay(bob, decimal.Decimal("33.37"))
try:
    bob.pay(alice, decimal.Decimal(1000))
except ValueError as error:
    print("refused:", error)
print(alice, bob, alice < bob, Colour.RED | Colour.BLUE, ~Colour.GREEN == Colour.RED | Colour.BLUE)

section("json")
data = {
    "name": "Метафраза",
    "values": [1, 2.5, -1e-7, None, True],
    "nested": {"deep": [[[]]]},
    "text": 'quote " and \\',
}
text = json.dumps(data, indent=1, sort_keys=True)
print(text)
assert json.loads(text) == data
try:
    json.loads('{"broken": [1, 2')
except json.JSONDecodeError as error:
    print("error:", error)

section("re")
log = "\n".join(f"2024-{m:02}-{d:02} host{d % 3} took {m * d}ms" for m in range(1, 13) for d in range(1, 29, 9))
pattern = re.compile(r"^(?P<date>\d{4}-\d\d-\d\d) (?P<host>\w+) took (?P<ms>\d+)ms$", re.M)
totals = collections.Counter()
for match in pattern.finditer(log):
    totals[match["host"]] += int(match["ms"])
print(totals.most_common())
print(re.sub(r"(\w+) (\w+)", lambda m: f"{m[2].title()} {m[1]}", "word for word translation done"))
print(re.split(r"\s*[,;]\s*", "a, b;c ,d"), re.findall(r"(?<=\$)\d+(?:\.\d+)?", "costs $5 or $7.25, not 9"))
print(bool(re.fullmatch(r"(a|ab)(c|bcd)(d*)", "abcd")), re.match(r"(a*)*b", "a" * 18 + "c"))

section("hashes")
payload = bytes(range(256)) * 100
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"):
    print(name, hashlib.new(name, payload).hexdigest()[:40])
print(zlib.crc32(payload), zlib.adler32(payload), binascii.crc_hqx(payload, 0))
print(hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 500).hex())
squeezed = zlib.compress(payload, 9)
print(len(squeezed), zlib.decompress(squeezed) == payload, base64.b85encode(payload[:40]).decode())

section("struct")
packed = struct.pack("<bBhHiIqQfd5s?", -1, 255, -2, 65535, -3, 2**32 - 1, -4, 2**64 - 1, 1.5, -2.25, b"bytes", True)
print(packed.hex(), struct.unpack("<bBhHiIqQfd5s?", packed), struct.calcsize("@bhid"))
print(struct.pack(">e", 0.333).hex(), struct.unpack("!d", bytes.fromhex("400921fb54442d18"))[0])
print(
    (2**70).to_bytes(10, "big").hex(),
    int.from_bytes(b"\xff\x7f", "little", signed=True),
    memoryview(packed)[3:7].tolist(),
)

section("numbers")
print(2**521 - 1, math.factorial(60), math.gcd(2**64 - 1, 10**9), pow(3, 10**12, 10**9 + 7), math.isqrt(10**60))
print(
    0.1 + 0.2,
    1e22,
    5e-324,
    float("nan"),
    -float("inf"),
    2.5 // 1,
    -7 // 2,
    -7 % 3,
    divmod(-7.5, 2),
    round(2.675, 2),
    round(12345, -2),
)
print(
    (0.1).hex(),
    float.fromhex("0x1.8p3"),
    (3.75).as_integer_ratio(),
    math.fsum([0.1] * 10),
    math.sqrt(2),
    math.floor(-0.5),
    math.copysign(1, -0.0),
)
decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7, fractions.Fraction(355, 113) - fractions.Fraction(22, 7))
print(
    statistics.median([3, 1, 4, 1, 5, 9, 2, 6]),
    statistics.mode("abracadabra"),
    complex(1, 2) * 3j,
    abs(3 + 4j),
    f"{1234567.891:,.2f} {255:#x} {0.000123:e}",
)

section("collections")
words = "the quick brown fox jumps over the lazy dog and the cat".split()
print(sorted(words, key=lambda word: (-len(word), word)), collections.Counter(words)["the"])
heap = [(i * 7919) % 101 for i in range(50)]
heapq.heapify(heap)
print([heapq.heappop(heap) for _ in range(8)], bisect.bisect([1, 3, 5, 7], 4), collections.deque(range(10), maxlen=3))
print(
    list(itertools.islice(itertools.permutations("abcd", 3), 5)),
    sum(itertools.accumulate(range(100))),
    ["".join(g) for _, g in itertools.groupby("aabbbc")],
)
print(
    {**{i: i * i for i in range(5)}, 9: "nine"},
    {3, 1, 2} & {2, 3, 4},
    [*zip("ab", itertools.count())],
    dict(zip("xyz", "123")),
)


@functools.lru_cache(maxsize=None)
def ways(total, coins=(1, 5, 10, 25, 50)):
    return 1 if total == 0 else sum(ways(total - coin, coins[i:]) for i, coin in enumerate(coins) if coin <= total)


print(ways(200), ways.cache_info().hits > 0)
generator = random.Random(2024)
print(
    [generator.randrange(1000) for _ in range(6)],
    round(generator.random(), 12),
    generator.sample(range(100), 5),
    generator.getrandbits(100),
)


def primes():
    found = {}
    for n in itertools.count(2):
        factor = found.pop(n, None)
        if factor is None:
            yield n
            found[n * n] = n
        else:
            step = n + factor
            while step in found:
                step += factor
            found[step] = factor


print(list(itertools.islice(primes(), 500))[-5:])

section("text")
print(textwrap.fill("Metaphrase translates word for word; paraphrase translates with latitude. " * 2, 50))
print(
    "ß".upper(),
    "İ".lower().encode(),
    "naïve".encode("utf-16-le").hex(),
    "\N{SNOWMAN}".encode(),
    "abc".center(9, "*"),
    string.hexdigits,
)
print(
    "%-10s|%5.1f|%+d|%r" % ("left", 3.14159, 7, "it's"),
    "{:>8}|{:^8}|{:08.3f}".format("r", "c", -1.5),
    "a,b,,c".split(","),
    "x=1".partition("="),
)
table = io.StringIO()
csv.writer(table).writerows([["name", "value"], ["with, comma", 'with "quote"'], [1, 2.5]])
print(repr(table.getvalue()), list(csv.DictReader(io.StringIO(table.getvalue())))[1])

section("time")
moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
print(
    moment.isoformat(),
    moment + datetime.timedelta(days=366),
    moment.strftime("%A %j %U"),
    datetime.date.fromisoformat("2023-12-31").isocalendar(),
)

section("system")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "file.bin")
    with open(path, "wb") as file:
        pickle.dump({"numbers": list(range(1000)), "account": ("alice", 3.5)}, file)
    with open(path, "rb") as file:
        print(sum(pickle.load(file)["numbers"]), os.path.getsize(path), sorted(os.listdir(folder)))
done = subprocess.run(
    ["/bin/sh", "-c", "read line; echo got $line; exit 6"], input="hello\n", capture_output=True, text=True
)
print(done.stdout.strip(), done.returncode)
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.write(writer, b"from the child")
    os._exit(4)
print(os.read(reader, 100), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with contextlib.redirect_stdout(io.StringIO()) as captured:
    print("captured")
print(len(captured.getvalue()), sys.byteorder, sys.maxsize, sys.getrecursionlimit())
try:
    (lambda f: f(f))(lambda f: f(f))
except RecursionError:
    print("recursion has a limit")
assert threading.current_thread().name == "MainThread"
matrix = [[(i * j + i) % 17 for j in range(30)] for i in range(30)]
product = [[sum(a * b for a, b in zip(row, column)) for column in zip(*matrix)] for row in matrix]
print(sum(map(sum, product)), hashlib.sha256(repr(product).encode()).hexdigest()[:16])
sys.exit(9)
