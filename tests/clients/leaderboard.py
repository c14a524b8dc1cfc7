"""The example `leaderboard`, a twilight bot, against the program: people write, and `/top` says who wrote most.

Events are lost to it, repeated and out of order, its connections are cut, and its requests are refused for a while: it
counts each message once all the same.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from guild import Guild  # noqa: E402

BOT = str(Path(os.environ.get("DISCOBASE_EXAMPLES", "target/debug/examples")).absolute() / "leaderboard")


async def wait_for(what, check):
    for _ in range(600):
        if await asyncio.to_thread(check):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


async def main():
    with Guild("--no-rate-limits") as local, tempfile.TemporaryDirectory() as folder:
        channels = local.call("GET", f"/api/v10/guilds/{local.guild_id}/channels")
        channel = channels[0]["id"]
        environment = os.environ | {"DISCORD_TOKEN": local.token, "DISCORD_API": local.api}
        Path(folder, "target").mkdir()
        bot = subprocess.Popen([BOT], env=environment, cwd=folder)
        try:
            await wait_for("the bot", lambda: local.call("GET", "/_local/gateway")["sessions"] == 2)
            people = {name: (await local.do("members", name=name))["id"] for name in ["ada", "grace", "linus"]}

            async def write(name, count):
                for number in range(count):
                    await local.do("messages", channel_id=channel, user_id=people[name], content=f"{number}")

            async def top():
                done = await local.do("interactions", channel_id=channel, command="top", wait_ms=5000)
                assert done["outcome"] == "message", done
                return done["message"]["content"]

            async def settles_at(expected):
                for _ in range(100):
                    if (shown := await top()) == expected:
                        return
                    await asyncio.sleep(0.1)
                raise AssertionError(f"{shown!r} is not {expected!r}")

            assert await top() == "Nobody has written anything yet."
            await write("ada", 3)
            await write("grace", 5)
            await settles_at("1. grace (5)\n2. ada (3)")
            # What comes twice counts once.
            rules = [{"event": "MESSAGE_CREATE", "action": {"kind": "repeat_event"}, "times": 4}]
            await asyncio.to_thread(local.call, "POST", "/_local/faults", rules)
            await write("linus", 4)
            await settles_at("1. grace (5)\n2. linus (4)\n3. ada (3)")
            # What is said while the connection is down is told after a resume.
            await local.do("gateway", order="cut")
            await write("ada", 4)
            await wait_for("the bot to be back", lambda: local.call("GET", "/_local/gateway")["sessions"] == 2)
            await settles_at("1. ada (7)\n2. grace (5)\n3. linus (4)")
            await asyncio.to_thread(local.call, "DELETE", "/_local/faults")
            limited = {"action": {"kind": "too_many_requests", "limit": "user", "retry_after": 0.4}, "times": 2}
            limited |= {"method": "POST", "route": "/channels/{channel}/messages"}
            await asyncio.to_thread(local.call, "POST", "/_local/faults", limited)
            await write("grace", 3)
            await settles_at("1. grace (8)\n2. ada (7)\n3. linus (4)")
            assert bot.poll() is None
            print("twilight: leaderboard counted each message once", flush=True)
        finally:
            bot.terminate()
            bot.wait(10)


asyncio.run(main())
