"""What a bot author does with discord.py, done on the local guild.

What is expected is what Discord's documentation says, as the library reports it.
"""

import asyncio
import io
import sys
import time
from pathlib import Path

import discord
import yarl
from discord import app_commands

sys.path.insert(0, str(Path(__file__).parent.parent))
from guild import Guild, Refused  # noqa: E402


def point_at(guild):
    discord.http.Route.BASE = guild.api + "/api/v10"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(guild.gateway)


class Bot(discord.Client):
    """A bot that keeps what happens to it, so that a test can wait for it whenever it likes."""

    def __init__(self):
        super().__init__(intents=discord.Intents.all())
        self.tree = app_commands.CommandTree(self)
        self.happened = asyncio.Queue()

    def dispatch(self, event, /, *arguments, **more):
        super().dispatch(event, *arguments, **more)
        if not event.startswith("socket_"):
            self.happened.put_nowait((event, arguments))

    async def event_of(self, name, check=lambda *_: True):
        """The next event of a name; those before it are passed over."""
        async with asyncio.timeout(20):
            while True:
                event, arguments = await self.happened.get()
                if event == name and check(*arguments):
                    return arguments[0] if len(arguments) == 1 else arguments

    def forget_events(self):
        self.happened = asyncio.Queue()


async def channels(bot, local, home):
    category = await home.create_category("Team")
    everyone, me = home.default_role, home.me
    hidden = {everyone: discord.PermissionOverwrite(view_channel=False), me: discord.PermissionOverwrite(view_channel=True)}
    channel = await home.create_text_channel("Plans", category=category, topic="what next", overwrites=hidden)
    created = await bot.event_of("guild_channel_create", lambda one: one.id == channel.id)
    assert created.topic == "what next" and created.category_id == category.id
    assert channel.overwrites_for(everyone).view_channel is False
    owner = await home.fetch_member(int(local.call("GET", f"/api/v10/guilds/{home.id}")["owner_id"]))
    assert channel.permissions_for(owner).view_channel, "the owner sees everything"
    await channel.edit(name="later", topic=None, slowmode_delay=5)
    before, after = await bot.event_of("guild_channel_update", lambda _, after: after.id == channel.id)
    assert (after.name, after.topic, after.slowmode_delay) == ("later", None, 5) and before.id == after.id
    await channel.set_permissions(owner, send_messages=False)
    _, after = await bot.event_of("guild_channel_update")
    assert after.overwrites_for(owner).send_messages is False
    await channel.set_permissions(owner, overwrite=None)
    _, after = await bot.event_of("guild_channel_update")
    assert owner not in after.overwrites
    listed = [one.id for one in await home.fetch_channels()]
    assert channel.id in listed and category.id in listed
    await category.delete()
    await bot.event_of("guild_channel_delete", lambda one: one.id == category.id)
    assert (await bot.fetch_channel(channel.id)).category_id is None, "channels outlive their category"
    await channel.delete()
    try:
        await bot.fetch_channel(channel.id)
        raise AssertionError("it was deleted")
    except discord.NotFound as error:
        assert error.code == 10003


async def messages(bot, local, channel):
    content = "héllo\n*world* 🌍"
    data = bytes(range(256)) * 5000
    file = discord.File(io.BytesIO(data), "data.bin", description="all bytes")
    embed = discord.Embed(title="t", description="d").add_field(name="n", value="v")
    sent = await channel.send(content, file=file, embed=embed, nonce=7)
    seen = await bot.event_of("message", lambda one: one.id == sent.id)
    assert seen.content == content and seen.author == bot.user and seen.nonce == "7"
    assert [one.fields[0].value for one in seen.embeds] == ["v"]
    attachment = (await channel.fetch_message(sent.id)).attachments[0]
    assert (attachment.filename, attachment.size, attachment.description) == ("data.bin", len(data), "all bytes")
    assert await attachment.read() == data
    edited = await sent.edit(content="other", embed=None)
    _, after = await bot.event_of("message_edit")
    assert after.content == edited.content == "other" and after.edited_at and not after.embeds
    assert [one.id for one in after.attachments] == [attachment.id], "an edit keeps files that it does not name"
    emptied = await sent.edit(attachments=[])
    assert not emptied.attachments
    answer = await sent.reply("re", mention_author=False)
    assert answer.type is discord.MessageType.reply and answer.reference.message_id == sent.id
    assert (await channel.fetch_message(answer.id)).reference.resolved.content == "other"
    posted = await local.do("messages", channel_id=channel.id, content=f"<@{bot.user.id}> look")
    seen = await bot.event_of("message", lambda one: one.id == int(posted["id"]))
    assert bot.user in seen.mentions and not seen.author.bot
    await sent.delete()
    gone = await bot.event_of("raw_message_delete")
    assert gone.message_id == sent.id
    for wrong, code in [("", 50006), ("x" * 2001, 50035)]:
        try:
            await channel.send(wrong)
            raise AssertionError("no such message can be")
        except discord.HTTPException as error:
            assert (error.status, error.code) == (400, code)


async def paging(bot, channel):
    sent = [await channel.send(str(number)) for number in range(120)]
    ids = [one.id for one in sent]
    assert [one.id async for one in channel.history(limit=None, after=discord.Object(ids[0] - 1))] == ids
    newest = [one.id async for one in channel.history(limit=105)]
    assert newest == ids[::-1][:105]
    before = [one.id async for one in channel.history(limit=10, before=sent[50])]
    assert before == ids[40:50][::-1]
    around = [one.id async for one in channel.history(limit=11, around=sent[50])]
    assert sorted(around) == ids[45:56]
    # Up to a hundred at once, then the rest.
    bot.forget_events()
    purged = await channel.purge(limit=110)
    assert len(purged) == 110
    bulk = await bot.event_of("raw_bulk_message_delete")
    assert len(bulk.message_ids) == 100 and bulk.message_ids <= set(ids)
    assert [one.id async for one in channel.history(after=discord.Object(ids[0] - 1))] == ids[:10]


async def pins(bot, channel):
    message = await channel.send("keep this")
    await message.pin()
    where, last = await bot.event_of("guild_channel_pins_update")
    assert where.id == channel.id and last is not None
    note = await bot.event_of("message", lambda one: one.type is discord.MessageType.pins_add)
    assert note.reference.message_id == message.id
    pinned = [one async for one in channel.pins()]
    assert [one.id for one in pinned] == [message.id] and pinned[0].pinned and pinned[0].pinned_at == last
    await message.unpin()
    assert not [one async for one in channel.pins()]
    many = [await channel.send(f"pin {number}") for number in range(53)]
    for one in many:
        await one.pin()
    assert [one.id async for one in channel.pins(limit=None)] == [one.id for one in many][::-1]


async def reactions(bot, local, channel):
    message = await channel.send("react")
    await message.add_reaction("👍")
    event = await bot.event_of("raw_reaction_add")
    assert (event.user_id, str(event.emoji), event.message_author_id) == (bot.user.id, "👍", bot.user.id)
    person = await local.do("members", name="eve")
    for emoji in ["👍", "🎉"]:
        await local.do("reactions", channel_id=channel.id, message_id=message.id, emoji=emoji, user_id=person["id"])
    event = await bot.event_of("raw_reaction_add", lambda one: str(one.emoji) == "🎉")
    assert event.member.name == "eve"
    found = await channel.fetch_message(message.id)
    assert [(str(one.emoji), one.count, one.me) for one in found.reactions] == [("👍", 2, True), ("🎉", 1, False)]
    assert {one.id async for one in found.reactions[0].users()} == {bot.user.id, int(person["id"])}
    await found.remove_reaction("👍", discord.Object(int(person["id"])))
    event = await bot.event_of("raw_reaction_remove")
    assert event.user_id == int(person["id"])
    await found.remove_reaction("👍", bot.user)
    await found.clear_reaction("🎉")
    event = await bot.event_of("raw_reaction_clear_emoji")
    assert str(event.emoji) == "🎉"
    await found.add_reaction("❤️")
    await found.clear_reactions()
    await bot.event_of("raw_reaction_clear")
    assert not (await channel.fetch_message(message.id)).reactions
    try:
        await message.add_reaction("nonsense")
        raise AssertionError("that is no emoji")
    except discord.HTTPException as error:
        assert error.code == 10014


async def invites(bot, local, channel):
    invite = await channel.create_invite(max_uses=1, max_age=3600, unique=True)
    created = await bot.event_of("invite_create")
    assert (created.code, created.max_uses, created.inviter) == (invite.code, 1, bot.user)
    found = await bot.fetch_invite(invite.code)
    assert found.guild.id == channel.guild.id and found.approximate_member_count >= 2
    listed = await channel.invites()
    assert [(one.code, one.uses, one.max_age) for one in listed] == [(invite.code, 0, 3600)]
    joined = await local.do("join", code=invite.code, name="guest")
    member = await bot.event_of("member_join")
    assert member.id == int(joined["id"])
    # Used up.
    gone = await bot.event_of("invite_delete")
    assert gone.code == invite.code
    other = await channel.create_invite()
    await other.delete()
    try:
        await bot.fetch_invite(other.code)
        raise AssertionError("it was deleted")
    except discord.NotFound as error:
        assert error.code == 10006


async def threads(bot, local, channel):
    message = await channel.send("topic")
    thread = await message.create_thread(name="talk", auto_archive_duration=60)
    created = await bot.event_of("thread_create")
    assert created.id == thread.id == message.id, "a thread has the id of the message it was started from"
    assert created.type is discord.ChannelType.public_thread and created.parent_id == channel.id
    assert created.owner_id == bot.user.id
    assert (await channel.fetch_message(message.id)).flags.has_thread
    said = await thread.send("first")
    seen = await bot.event_of("message", lambda one: one.id == said.id)
    assert isinstance(seen.channel, discord.Thread)
    starter = [one async for one in thread.history(oldest_first=True)][0]
    assert starter.type is discord.MessageType.thread_starter_message
    assert starter.reference.message_id == message.id and starter.reference.channel_id == channel.id
    person = await local.do("members", name="mallory")
    await thread.add_user(discord.Object(int(person["id"])))
    joined = await bot.event_of("thread_member_join")
    assert joined.id == int(person["id"])
    members = await thread.fetch_members()
    assert {one.id for one in members} == {bot.user.id, int(person["id"])}
    try:
        await thread.remove_user(joined)
        raise AssertionError("others are put out of public threads by moderators alone")
    except discord.Forbidden as error:
        assert error.code == 50013
    everything = discord.Permissions.all()
    everything.administrator = False
    await local.do("permissions", permissions=str(everything.value))
    await thread.remove_user(joined)
    left = await bot.event_of("thread_member_remove")
    assert left.id == joined.id
    assert [one.id for one in await thread.fetch_members()] == [bot.user.id]
    await thread.edit(name="done", archived=True)
    _, after = await bot.event_of("thread_update")
    assert after.archived and after.name == "done"
    try:
        await said.edit(content="late")
        raise AssertionError("the thread is archived")
    except discord.HTTPException as error:
        assert error.code == 50083
    assert [one.id async for one in channel.archived_threads()] == [thread.id]
    assert thread.id not in [one.id for one in await channel.guild.active_threads()]
    # To post unarchives.
    await thread.send("again")
    await bot.event_of("raw_thread_update", lambda one: not one.data["thread_metadata"]["archived"])
    private = await channel.create_thread(name="secret", type=discord.ChannelType.private_thread, invitable=False)
    assert private.is_private() and not private.invitable
    active = {one.id for one in await channel.guild.active_threads()}
    assert active == {thread.id, private.id}
    await private.delete()
    gone = await bot.event_of("raw_thread_delete")
    assert gone.thread_id == private.id


def define_commands(bot, home):
    tree = bot.tree
    place = discord.Object(home.id)

    @tree.command(description="Adds two numbers", guild=place)
    @app_commands.describe(first="one", second="two")
    async def add(interaction, first: int, second: app_commands.Range[int, 0, 10] = 1):
        await interaction.response.send_message(f"{first + second}")

    @tree.command(description="Says who somebody is", guild=place)
    async def whois(interaction, who: discord.Member, where: discord.TextChannel):
        await interaction.response.send_message(f"{who.name} in {where.name}", ephemeral=True)

    @tree.command(description="Takes its time", guild=place)
    async def slow(interaction):
        await interaction.response.defer()
        await asyncio.sleep(0.2)
        await interaction.followup.send("here it is")
        await interaction.followup.send("and more", ephemeral=True)

    @tree.command(description="Finds a colour", guild=place)
    async def colour(interaction, name: str):
        await interaction.response.send_message(name)

    @colour.autocomplete("name")
    async def complete(_, current):
        known = ["red", "green", "grey"]
        return [app_commands.Choice(name=one, value=one) for one in known if one.startswith(current)]

    settings = app_commands.Group(name="settings", description="Settings", guild_ids=[home.id])

    @settings.command(description="Sets one")
    async def put(interaction, key: str, value: bool):
        await interaction.response.send_message(f"{key}={value}")

    tree.add_command(settings)

    class Form(discord.ui.Modal, title="Feedback"):
        text = discord.ui.TextInput(label="What?", min_length=2)

        async def on_submit(self, interaction):
            await interaction.response.send_message(f"thanks for {self.text.value}")

    class View(discord.ui.View):
        @discord.ui.button(label="Click", custom_id="click")
        async def click(self, interaction, button):
            button.disabled = True
            await interaction.response.edit_message(content="clicked", view=self)

        @discord.ui.button(label="Ask", custom_id="ask")
        async def ask(self, interaction, _):
            await interaction.response.send_modal(Form())

        @discord.ui.select(custom_id="pick", options=[discord.SelectOption(label="A", value="a"), discord.SelectOption(label="B", value="b")])
        async def pick(self, interaction, select):
            await interaction.response.send_message(f"picked {select.values[0]}")

    @tree.command(description="Shows a panel", guild=place)
    async def panel(interaction):
        await interaction.response.send_message("panel", view=View())

    @tree.context_menu(name="Count letters", guild=place)
    async def count(interaction, message: discord.Message):
        await interaction.response.send_message(str(len(message.content)))

    @tree.command(description="For moderators", guild=place)
    @app_commands.default_permissions(manage_channels=True)
    async def moderate(interaction):
        await interaction.response.send_message("done")

    @tree.command(description="Everywhere")
    async def everywhere(interaction):
        message = await interaction.response.send_message("global")
        original = await interaction.original_response()
        assert message.message_id == original.id
        await interaction.edit_original_response(content="edited")


async def commands(bot, local, home, channel):
    define_commands(bot, home)
    synced = await bot.tree.sync(guild=discord.Object(home.id))
    assert len(synced) == 8
    assert len(await bot.tree.sync()) == 1
    fetched = {one.name: one for one in await bot.tree.fetch_commands(guild=discord.Object(home.id))}
    assert fetched["add"].options[1].max_value == 10 and not fetched["add"].options[1].required
    person = await local.do("members", name="trent")

    async def use(**body):
        return await local.do("interactions", channel_id=channel.id, user_id=person["id"], **body)

    done = await use(command="add", options={"first": 40, "second": 2})
    assert done["message"]["content"] == "42" and done["message"]["type"] == 20
    assert done["message"]["interaction_metadata"]["user"]["id"] == person["id"]
    seen = await bot.event_of("message", lambda one: one.content == "42")
    assert seen.interaction_metadata.user.name == "trent"
    for bad in [{"first": 1, "second": 11}, {"second": 1}, {"first": "x"}, {"first": 1, "third": 1}]:
        try:
            await use(command="add", options=bad)
            raise AssertionError(f"no client sends {bad}")
        except Refused as error:
            assert error.status == 400
    done = await use(command="whois", options={"who": person["id"], "where": str(channel.id)})
    assert done["message"]["content"] == f"trent in {channel.name}" and done["message"]["flags"] & 64
    try:
        await channel.fetch_message(int(done["message"]["id"]))
        raise AssertionError("ephemeral messages are in no channel")
    except discord.NotFound:
        pass
    done = await use(command="slow")
    assert done["outcome"] == "message" and done["message"]["content"] == "here it is"
    for _ in range(50):
        done = local.call("GET", f"/_local/interactions/{done['id']}")
        if done["followups"]:
            break
        await asyncio.sleep(0.1)
    assert [one["content"] for one in done["followups"]] == ["and more"]
    done = await use(command="colour", options={"name": "gr"}, focused="name")
    assert [one["value"] for one in done["choices"]] == ["green", "grey"]
    done = await use(command="settings put", options={"key": "k", "value": True})
    assert done["message"]["content"] == "k=True"
    done = await use(command="panel")
    panel = done["message"]["id"]
    picked = await use(message_id=panel, custom_id="pick", values=["b"])
    assert picked["message"]["content"] == "picked b"
    assert picked["message"]["message_reference"]["message_id"] == panel
    asked = await use(message_id=panel, custom_id="ask")
    field = asked["modal"]["components"][0]["components"][0]["custom_id"]
    thanks = await local.do("interactions", interaction_id=asked["id"], fields={field: "all"})
    assert thanks["message"]["content"] == "thanks for all"
    clicked = await use(message_id=panel, custom_id="click")
    assert clicked["outcome"] == "update" and clicked["message"]["content"] == "clicked"
    try:
        await use(message_id=panel, custom_id="click")
        raise AssertionError("the button is disabled")
    except Refused:
        pass
    message = await channel.send("four")
    done = await use(command="Count letters", type=3, target_id=message.id)
    assert done["message"]["content"] == "4" and done["message"]["type"] == 23
    try:
        await use(command="moderate")
        raise AssertionError("the command is for moderators")
    except Refused as error:
        assert error.status == 403
    assert (await local.do("interactions", channel_id=channel.id, command="moderate"))["message"]["content"] == "done"
    done = await use(command="everywhere")
    assert done["message"]["content"] in ("global", "edited")
    await bot.event_of("raw_message_edit", lambda one: one.data["content"] == "edited")
    await fetched["add"].delete()
    try:
        await use(command="add", options={"first": 1})
        raise AssertionError("the command was deleted")
    except Refused as error:
        assert error.body["code"] == 10063


async def reconnecting(bot, local, channel):
    bot.forget_events()
    await local.do("gateway", order="cut")
    missed = await local.do("messages", channel_id=channel.id, content="while you were away")
    seen = await bot.event_of("message", lambda one: one.id == int(missed["id"]))
    assert seen.content == "while you were away"
    bot.forget_events()
    await local.do("gateway", order="reconnect")
    await bot.event_of("resumed")
    await local.do("gateway", order="invalidate")
    await bot.event_of("ready")
    # A session whose events can no longer be had begins anew.
    await local.do("gateway", close=4009)
    await bot.event_of("ready")
    after = await local.do("messages", channel_id=channel.id, content="after all")
    await bot.event_of("message", lambda one: one.id == int(after["id"]))


async def pacing(bot, local, channel):
    """On Discord's rates: what the library is told by headers and by 429s, it obeys, and nothing is lost."""
    start = time.monotonic()
    sent = await asyncio.gather(*(channel.send(str(number)) for number in range(11)))
    took = time.monotonic() - start
    assert len({one.id for one in sent}) == 11
    assert took > 9.5, f"11 messages at 5 in 5 seconds took {took:.1f} s"
    assert len([one async for one in channel.history(limit=20)]) == 11
    refused = local.stats()["too_many_requests"]
    assert refused <= 3, f"{refused} replies of 429 although the headers tell"
    rule = {"method": "POST", "route": "/channels/{channel}/messages", "action": {"kind": "too_many_requests", "limit": "shared", "retry_after": 1.5}}
    await asyncio.to_thread(local.call, "POST", "/_local/faults", rule)
    start = time.monotonic()
    await channel.send("patience")
    assert time.monotonic() - start > 1.4
    assert local.stats()["too_many_requests"] == refused + 1


async def with_bot(local, act):
    point_at(local)
    bot = Bot()
    running = asyncio.create_task(bot.start(local.token))
    try:
        await bot.event_of("ready")
        home = bot.get_guild(local.guild_id)
        assert home is not None and bot.user.id == local.application_id
        assert home.owner is not None, "with the members intent the library knows all members"
        await act(bot, home)
    finally:
        await bot.close()
        await asyncio.gather(running, return_exceptions=True)


async def main():
    with Guild("--no-rate-limits", "--privileged-intents") as local:

        async def act(bot, home):
            async def step(name, run, *arguments):
                channel = await home.create_text_channel(name)
                bot.forget_events()
                await run(*(channel if one is Ellipsis else one for one in arguments))
                print(f"discord.py: {name}", flush=True)

            await step("channels", channels, bot, local, home)
            await step("messages", messages, bot, local, ...)
            await step("paging", paging, bot, ...)
            await step("pins", pins, bot, ...)
            await step("reactions", reactions, bot, local, ...)
            await step("invites", invites, bot, local, ...)
            await step("threads", threads, bot, local, ...)
            await step("commands", commands, bot, local, home, ...)
            await step("reconnecting", reconnecting, bot, local, ...)

        await with_bot(local, act)
    with Guild("--privileged-intents") as local:

        async def act(bot, home):
            await pacing(bot, local, home.text_channels[0])
            print("discord.py: pacing", flush=True)

        await with_bot(local, act)


asyncio.run(main())
