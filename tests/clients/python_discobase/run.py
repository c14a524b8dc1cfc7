"""The Python library discobase 1.0.0, unmodified, on the local guild: it creates its tables, saves, finds, updates and
deletes, and its slash commands do the same. Then everything is imported into discobase.

`--fixture FILE` writes down what its guild holds in the end.
"""

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import discobase
import discord
import yarl

sys.path.insert(0, str(Path(__file__).parent.parent))
from guild import Guild  # noqa: E402

NAME = "library"


def define(db):
    @db.table
    class Book(discobase.Table):
        title: str
        pages: int

    @db.table
    class Reader(discobase.Table):
        name: str
        active: bool

    @db.table
    class Loan(discobase.Table):
        reader: str
        book: str
        days: int

    return Book, Reader, Loan


LOANS = [{"reader": f"reader {n % 3}", "book": f"bøk {n}", "days": n * n - 3} for n in range(10)]


def decoded(message):
    """A record of a table's channel."""
    return json.loads(base64.urlsafe_b64decode(json.loads(message["content"])["content"]))


def held(local):
    """All text channels of the guild that are in no category, with their messages, oldest first."""
    channels = local.call("GET", f"/api/v10/guilds/{local.guild_id}/channels")
    found = {}
    for channel in channels:
        if channel["type"] != 0 or channel.get("parent_id"):
            continue
        messages, before = [], ""
        while page := local.call("GET", f"/api/v10/channels/{channel['id']}/messages?limit=100{before}"):
            messages += page
            before = f"&before={page[-1]['id']}"
        kept = [{"id": one["id"], "content": one["content"]} for one in reversed(messages)]
        found[channel["name"]] = {"id": channel["id"], "messages": kept}
    return found


async def library(db, book_type, _, loan_type):
    # A table has four slots in each index and counts each use of one. With more it grows, and growing loses entries, on
    # whatever guild: what is looked up by value here stays below that.
    await book_type(title="Momo", pages=304).save()
    found = await book_type.find_unique(title="Momo")
    assert found.pages == 304
    found.pages = 305
    await found.update()
    assert (await book_type.find_unique(title="Momo")).pages == 305
    await book_type(title="Ulysses", pages=730).save()
    assert {one.title for one in await book_type.find()} == {"Ulysses", "Momo"}
    await (await book_type.find_unique(title="Ulysses")).delete()
    assert [one.title for one in await book_type.find()] == ["Momo"]
    assert not await book_type.find(title="Ulysses")
    for loan in LOANS:
        await loan_type(**loan).save()
    assert sorted(one.days for one in await loan_type.find()) == sorted(one["days"] for one in LOANS)
    print("discobase 1.0.0: created, saved, found, updated, deleted", flush=True)


async def slash_commands(local, db, reader_type):
    channels = {one.name: one.id for one in db.guild.text_channels}
    general, table = channels["general"], str(channels["reader"])

    async def use(command, **options):
        done = await local.do("interactions", channel_id=general, command=command, options=options, wait_ms=10_000)
        for _ in range(100):
            # Each of them answers at once and then says more by changing its answer.
            message = local.call("GET", f"/_local/interactions/{done['id']}")["message"]
            text = message["content"] + json.dumps(message["embeds"])
            if not text.startswith(("Looking", "Searching", "Getting", "Table `")) or "Found" in text:
                return text
            await asyncio.sleep(0.1)
        raise AssertionError(f"/{command} stopped at {text}")

    registered = await asyncio.to_thread(local.call, "GET", f"/api/v10/applications/{local.application_id}/commands")
    names = {one["name"] for one in registered}
    assert names == {"insert", "find", "update", "delete", "reset", "hello", "table", "column", "tablestats", "schema"}
    assert (await use("hello")).startswith("Hello!")
    record = json.dumps({"name": "Grace", "active": False})
    assert "inserted" in await use("insert", table=table, data=record)
    assert (await reader_type.find_unique(name="Grace")).active is False
    # What shows records (`/find` with a result, `/table`, `/column`, `/schema`, `/tablestats`) fails in the release, on
    # whatever guild: its embeds do not know the styles that it asks them for.
    assert "could not be found" in await use("find", table=table, column="name", value="Nobody")
    assert "updated" in await use("update", table=table, column="name", current_value="Grace", new_value="Hopper")
    for _ in range(100):
        # It reports success before it is finished.
        if await reader_type.find(name="Hopper"):
            break
        await asyncio.sleep(0.1)
    assert await reader_type.find(name="Hopper")
    assert "has been deleted" in await use("delete", table=table, record=json.dumps({"name": "Hopper"}))
    assert not await reader_type.find(name="Hopper")
    print("discobase 1.0.0: its slash commands", flush=True)


def check_layout(local):
    """What `layout.md` says of the guild."""
    found = held(local)
    tables = {"book": ["title", "pages"], "reader": ["name", "active"], "loan": ["reader", "book", "days"]}
    expected = {"general", "_dbmetadata"} | set(tables)
    expected |= {f"{table}_{field}" for table, fields in tables.items() for field in fields}
    assert set(found) == expected, set(found) ^ expected
    metadata = {}
    for message in found["_dbmetadata"]["messages"]:
        about = json.loads(message["content"])
        metadata[about["name"]] = about
        assert about["message_id"] == int(message["id"])
    assert set(metadata) == set(tables)
    for table, fields in tables.items():
        about = metadata[table]
        assert set(about["keys"]) == set(fields)
        assert about["table_channel"] == int(found[table]["id"])
        indexes = {f"{table}_{field}": int(found[f"{table}_{field}"]["id"]) for field in fields}
        assert about["index_channels"] == indexes
        for field in fields:
            assert len(found[f"{table}_{field}"]["messages"]) == about["max_records"]
    assert [decoded(one) for one in found["book"]["messages"]] == [{"title": "Momo", "pages": 305}]
    assert [decoded(one) for one in found["loan"]["messages"]] == LOANS
    assert metadata["loan"]["max_records"] > metadata["book"]["max_records"] == 4
    record = int(found["book"]["messages"][0]["id"])
    entries = [json.loads(one["content"]) for one in found["book_pages"]["messages"]]
    assert {"key": 305, "record_ids": [record], "next_value": None} in entries
    print("discobase 1.0.0: its layout", flush=True)
    return found


async def found_by_value(loan_type):
    """How many of the loans the library itself finds by each of their values."""
    found = 0
    for loan in LOANS:
        try:
            by_value = [await loan_type.find(**{name: value}) for name, value in loan.items()]
        except discobase.exceptions.DatabaseCorruptionError:
            continue
        found += all(any(one.model_dump() == loan for one in some) for some in by_value)
    return found


def adopt(local, found_in_python):
    """The importer brings everything over, also what the library's indexes have lost, and leaves the library alone."""
    before = held(local)
    place = os.environ.get("DISCOBASE_EXAMPLES", "target/debug/examples")
    environment = os.environ | {"DISCORD_TOKEN": local.token, "DISCORD_API": local.api}
    environment["DISCORD_GUILD"] = str(local.guild_id)
    done = subprocess.run([f"{place}/adopt"], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    imported = json.loads(done.stdout.splitlines()[-1])
    assert imported == {"skipped": 0, "book": [{"title": "Momo", "pages": 305}], "reader": 0, "loan": LOANS}, imported
    after = held(local)
    assert {name: after[name] for name in before} == before
    # A second import is refused.
    again = subprocess.run([f"{place}/adopt"], env=environment, capture_output=True, text=True, timeout=60)
    assert again.returncode != 0 and "saves only into empty tables" in again.stderr, again.stderr
    print(f"imported: {len(LOANS)} loans of {len(LOANS)}; the library itself finds {found_in_python}", flush=True)


async def main(fixture):
    # Its own way of making a guild is closed to bots: the guild of its name exists.
    with Guild("--guild", NAME, "--no-rate-limits", "--privileged-intents") as local:
        discord.http.Route.BASE = local.api + "/api/v10"
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway)
        # What a person allows by the invite that the library logs.
        everything = discord.Permissions.all()
        everything.administrator = False
        await local.do("permissions", permissions=str(everything.value))
        db = discobase.Database(NAME)
        tables = define(db)
        async with db.conn(local.token):
            await library(db, *tables)
            # The commands are registered after the database has said that it is ready.
            for _ in range(100):
                if await asyncio.to_thread(local.call, "GET", f"/api/v10/applications/{local.application_id}/commands"):
                    break
                await asyncio.sleep(0.1)
            await slash_commands(local, db, tables[1])
            found_in_python = await found_by_value(tables[2])
        found = check_layout(local)
        await asyncio.to_thread(adopt, local, found_in_python)
        if fixture:
            fixture.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


arguments = argparse.ArgumentParser()
arguments.add_argument("--fixture", type=Path)
asyncio.run(main(arguments.parse_args().fixture))
