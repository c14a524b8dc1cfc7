"""The program `discobase-guild`, started for one run and driven by its control endpoints."""

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request

PROGRAM = os.environ.get("DISCOBASE_GUILD", "target/debug/discobase-guild")


class Refused(Exception):
    """What the guild answers to something that it does not let people do."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Guild:
    """A local guild; a context manager that stops it in the end."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        hello = json.loads(self.process.stdout.readline())
        self.api = hello["api"]
        self.gateway = hello["gateway"]
        self.token = hello["token"]
        self.guild_id = int(hello["guild_id"])
        self.application_id = int(hello["application_id"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def call(self, method, path, body=None):
        """Asks for something at an address of the guild, with the bot's token."""
        data = None if body is None else json.dumps(body, default=str).encode()
        headers = {"Authorization": f"Bot {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.api + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read() or b"null")) from None

    def stats(self):
        return self.call("GET", "/_local/stats")

    async def do(self, what, **body):
        """Lets somebody do something, while the bot goes on."""
        ids = {name: str(value) if name.endswith("_id") else value for name, value in body.items()}
        return await asyncio.to_thread(self.call, "POST", f"/_local/{what}", ids)
