"""Other stores in Discord, unmodified, as `cargo run --release --example compare` runs them.

    contestants.py NAME '{"guild": {...}, "budget": SECONDS}' CITIES.jsonl.gz

Each task prints one line of JSON when it is done and waits for a line before the next one begins. A task that takes
longer than its budget ends with the rows that it got to; a call that never comes back is given up after four budgets.
"""

import asyncio
import gzip
import json
import sys
import time
import urllib.request

import discord
import yarl

NAME, CONFIG, CITIES = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
GUILD, BUDGET = CONFIG["guild"], CONFIG["budget"]
MORE = 2_000_000_000
COUNTRY = "IS"
# Of 1,000 increments at once: so many as can be expected to be over in the budget.
INCREMENTS = 20

discord.http.Route.BASE = GUILD["api"] + "/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(GUILD["gateway"])


class Unsupported(Exception):
    """The store has no way to do this."""


def cities():
    with gzip.open(CITIES, "rt") as lines:
        return [json.loads(line) for line in lines]


def more(all_cities, first, count):
    return [{**all_cities[n % len(all_cities)], "id": MORE + first + n} for n in range(count)]


def report(task, **what):
    print(json.dumps({"task": task, **what}), flush=True)
    sys.stdin.readline()


def allow_everything():
    """What the invites of these stores ask for, without administrator, which hides what is missing."""
    permissions = discord.Permissions.all()
    permissions.administrator = False
    headers = {"Authorization": f"Bot {GUILD['token']}", "Content-Type": "application/json"}
    body = json.dumps({"permissions": str(permissions.value)}).encode()
    request = urllib.request.Request(f"{GUILD['api']}/_local/permissions", body, headers)
    urllib.request.urlopen(request).read()


class Bot(discord.Client):
    """A bot that is there."""

    def __init__(self):
        super().__init__(intents=discord.Intents.all())
        self.connection = None

    async def start_up(self):
        await self.login(GUILD["token"])
        self.connection = asyncio.create_task(self.connect())
        await self.wait_until_ready()
        return self.get_guild(GUILD["guild_id"])

    async def stop(self):
        await self.close()
        await self.connection


class PythonDiscobase:
    """discobase 1.0.0: tables of pydantic models. It takes no floats, so coordinates are texts here."""

    async def open(self):
        import discobase

        self.db = discobase.Database("compare")

        @self.db.table
        class City(discobase.Table):
            id: int
            name: str
            country: str
            admin: str
            population: int
            feature: str
            longitude: str
            latitude: str

        @self.db.table
        class Counter(discobase.Table):
            number: int
            points: int

        self.city, self.counter = City, Counter
        self.db.login_task(GUILD["token"])
        await self.db.wait_ready()

    async def close(self):
        await self.db.close()

    def shaped(self, row):
        return {**row, "longitude": str(row["longitude"]), "latitude": str(row["latitude"])}

    async def save(self, row):
        await self.city(**self.shaped(row)).save()

    async def read(self, row):
        found = await self.city.find_unique(id=row["id"], strict=False)
        return found is not None and found.model_dump() == self.shaped(row)

    async def filter(self, country):
        return len(await self.city.find(country=country))

    async def update(self, row):
        found = await self.city.find_unique(id=row["id"])
        found.population += 1
        await found.update()

    async def delete(self, row):
        await (await self.city.find_unique(id=row["id"])).delete()

    async def begin_counting(self):
        await self.counter(number=1, points=0).save()

    async def increment(self):
        found = await self.counter.find_unique(number=1)
        found.points += 1
        await found.update()

    async def counted(self):
        return (await self.counter.find_unique(number=1)).points


class KeysAndValues:
    """DiscordDatabase 0.1.3: a channel of keys and values. A city is a value, as JSON, its key the id."""

    async def open(self):
        from DiscordDatabase import DiscordDatabase

        self.bot = Bot()
        await self.bot.start_up()
        self.db = await DiscordDatabase(self.bot, GUILD["guild_id"]).new("compare", "cities")

    async def close(self):
        await self.bot.stop()

    async def save(self, row):
        await self.db.set(str(row["id"]), json.dumps(row))

    async def read(self, row):
        found = await self.db.get(str(row["id"]))
        return found is not None and json.loads(found) == row

    async def filter(self, country):
        raise Unsupported("values are found by their keys only")

    async def update(self, row):
        await self.db.set(str(row["id"]), json.dumps({**row, "population": row["population"] + 1}))

    async def delete(self, row):
        await self.db.delete(str(row["id"]))

    async def begin_counting(self):
        await self.db.set("counter", 0)

    async def increment(self):
        # A number comes back as a text.
        await self.db.set("counter", int(await self.db.get("counter")) + 1)

    async def counted(self):
        return int(await self.db.get("counter"))


class Embeds:
    """DiscordDBPlus 0.0.9: a record is an embed, found by its message's id, which the caller has to keep."""

    # Where the callers of this store would need a database.
    kept = {}

    async def open(self):
        from discordDBPlus import DiscordDB

        self.bot = Bot()
        guild = await self.bot.start_up()
        self.channel = guild.text_channels[0].id
        self.db = DiscordDB(self.bot)

    async def close(self):
        await self.bot.stop()

    def shaped(self, row):
        # An embed's field can't be empty.
        return {name: str(value) or "-" for name, value in row.items()}

    async def save(self, row):
        self.kept[row["id"]] = await self.db.save(self.shaped(row), self.channel)

    async def found(self, key):
        return await self.db.get(self.kept[key], self.channel)

    async def read(self, row):
        found = dict(await self.found(row["id"]))
        found.pop("created_at", None)
        return found == self.shaped(row)

    async def filter(self, country):
        raise Unsupported("records are found by their messages' ids only; `search` looks for a field, not for its value")

    async def update(self, row):
        changed = {**self.shaped(row), "population": str(row["population"] + 1)}
        await self.db.edit(changed, self.kept[row["id"]], self.channel)

    async def delete(self, row):
        raise Unsupported("there is no delete")

    async def begin_counting(self):
        self.kept["counter"] = await self.db.save({"points": "0"}, self.channel)

    async def increment(self):
        points = int((await self.found("counter"))["points"])
        await self.db.edit({"points": str(points + 1)}, self.kept["counter"], self.channel)

    async def counted(self):
        return int((await self.found("counter"))["points"])


STORES = {"python-discobase": PythonDiscobase, "discorddatabase": KeysAndValues, "discorddbplus": Embeds}


async def save_all(task, store, rows):
    """One after the other: none of these stores takes several rows at once, or saves side by side."""
    started, saved, failed = time.monotonic(), [], []
    for row in rows:
        if time.monotonic() - started > BUDGET:
            break
        try:
            await asyncio.wait_for(store.save(row), 4 * BUDGET)
            saved.append(row)
        except Exception as error:  # noqa: BLE001: whatever it is, the row is not saved
            failed.append(error)
    seconds = time.monotonic() - started
    note = "" if len(saved) == len(rows) else f"{len(saved)} rows in the time it had"
    if failed:
        note += f"; {len(failed)} saves failed, the first with {type(failed[0]).__name__}: {failed[0]}"
    report(task, times=1, seconds=seconds, rows=len(saved), note=note)
    return saved


async def once(task, work, rows=1):
    started = time.monotonic()
    try:
        found = await asyncio.wait_for(work, 4 * BUDGET)
    except Unsupported as error:
        report(task, unsupported=str(error))
        return
    except Exception as error:  # noqa: BLE001
        report(task, unsupported=f"it failed with {type(error).__name__}: {error}"[:300])
        return
    found = int(found) if found is not None else None
    report(task, times=1, seconds=time.monotonic() - started, rows=rows, found=found)


async def look_up(task, store, rows, note=""):
    """Reads rows by their keys while the budget lasts: all over them, so that old and new ones count alike."""
    started, asked, found, errors = time.monotonic(), 0, 0, 0
    step = max(1, len(rows) // 2 + 1)
    while step > 1 and len(rows) % step == 0:
        step -= 1
    for number in range(len(rows)):
        if time.monotonic() - started > BUDGET:
            break
        asked += 1
        try:
            found += await asyncio.wait_for(store.read(rows[number * step % len(rows)]), 4 * BUDGET)
        except Exception:  # noqa: BLE001
            errors += 1
    note += f" {asked} of {len(rows)} saved rows were looked up in the time it had" if asked < len(rows) else ""
    note += f"; {errors} of the look-ups raised" if errors else ""
    report(task, times=asked, seconds=time.monotonic() - started, rows=asked, found=found, note=note.strip("; "))


async def increments(store):
    await asyncio.wait_for(store.begin_counting(), 4 * BUDGET)
    started = time.monotonic()
    work = [asyncio.create_task(store.increment()) for _ in range(INCREMENTS)]
    done, late = await asyncio.wait(work, timeout=4 * BUDGET)
    for task in late:
        task.cancel()
    seconds = time.monotonic() - started
    failed = sum(1 for task in done if task.exception())
    note = f"{INCREMENTS} at once, not 1,000"
    note += f"; {failed} of them raised" if failed else ""
    note += f"; {len(late)} never came back" if late else ""
    try:
        found = await asyncio.wait_for(store.counted(), 4 * BUDGET)
    except Exception as error:  # noqa: BLE001
        found, note = 0, note + f"; then the number could not be read: {type(error).__name__}"
    report("increments", times=1, seconds=seconds, rows=INCREMENTS, found=int(found), note=note)


async def main():
    allow_everything()
    all_cities = cities()
    store = STORES[NAME]()
    await store.open()
    report("prepare", times=1, rows=1)
    saved = await save_all("cities", store, all_cities)
    one = more(all_cities, 0, 1)
    one = await save_all("save_one", store, one)
    saved += await save_all("save_many", store, more(all_cities, 1, 1_000))
    report("save_singly", unsupported="as 1,000 rows in one call: it saves one after the other")
    await look_up("read", store, saved)
    stored = saved + one
    country = COUNTRY if any(row["country"] == COUNTRY for row in stored) else stored[0]["country"]
    there = sum(row["country"] == country for row in stored)
    await once("filter", store.filter(country), there)
    if one:
        await once("update", store.update(one[0]))
        await once("delete", store.delete(one[0]))
    await increments(store)
    await store.close()

    started = time.monotonic()
    store = STORES[NAME]()
    await store.open()
    try:
        found = await store.read(saved[0])
    except Exception:  # noqa: BLE001
        found = False
    report("open", times=1, seconds=time.monotonic() - started, rows=1, found=int(found))
    await look_up("found", store, saved)
    await store.close()


asyncio.run(main())
