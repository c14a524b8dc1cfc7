// What a bot author does with discord.js, done on the local guild. What is expected is what Discord's documentation
// says, as the library reports it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Installed beside the other tools of a run, not here.
const load = createRequire(`${process.env.CLIENT_MODULES}/`);
const discord = load('discord.js');
const { ActionRowBuilder, ApplicationCommandOptionType, ApplicationCommandType, ButtonBuilder, ButtonStyle, ChannelType } = discord;
const { Client, Events, GatewayIntentBits, MessageFlags, MessageType, ModalBuilder, Partials } = discord;
const { PermissionFlagsBits, TextInputBuilder, TextInputStyle } = discord;

class Guild {
  static async start(...args) {
    const guild = new Guild();
    const program = process.env.DISCOBASE_GUILD ?? 'target/debug/discobase-guild';
    guild.process = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: guild.process.stdout })) {
      Object.assign(guild, JSON.parse(line));
      return guild;
    }
    throw new Error('the program ended');
  }

  async call(method, path, body) {
    const headers = { authorization: `Bot ${this.token}`, 'content-type': 'application/json' };
    const reply = await fetch(this.api + path, { method, headers, body: body && JSON.stringify(body) });
    const data = await reply.json();
    if (!reply.ok) throw Object.assign(new Error(`${reply.status} ${JSON.stringify(data)}`), { code: data.code });
    return data;
  }

  do(what, body) {
    return this.call('POST', `/_local/${what}`, body);
  }

  stats() {
    return this.call('GET', '/_local/stats');
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill();
    await ended;
  }
}

// The next event for which `check` holds. To be asked for before it can happen.
function next(client, name, check = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${name}`)), 20_000);
    const listen = (...args) => {
      if (!check(...args)) return;
      clearTimeout(late);
      client.off(name, listen);
      resolve(args.length === 1 ? args[0] : args);
    };
    client.on(name, listen);
  });
}

const refusal = (promise, code) => assert.rejects(promise, (error) => error.code === code);

async function channels({ client, home }) {
  const category = await home.channels.create({ name: 'Team', type: ChannelType.GuildCategory });
  const created = next(client, Events.ChannelCreate);
  const channel = await home.channels.create({
    name: 'plans',
    topic: 'what next',
    parent: category,
    permissionOverwrites: [
      { id: home.id, deny: [PermissionFlagsBits.SendMessages] },
      { id: client.user.id, allow: [PermissionFlagsBits.SendMessages] },
    ],
  });
  assert.equal((await created).topic, 'what next');
  assert.equal(channel.parentId, category.id);
  assert.ok(channel.permissionOverwrites.cache.get(home.id).deny.has(PermissionFlagsBits.SendMessages));
  const updated = next(client, Events.ChannelUpdate);
  await channel.edit({ name: 'later', topic: null });
  // What the library knew before depends on whether the reply or the event comes first.
  const [, after] = await updated;
  assert.deepEqual([after.name, after.topic], ['later', null]);
  await channel.permissionOverwrites.edit(home.ownerId, { AddReactions: false });
  const fresh = await client.channels.fetch(channel.id, { force: true });
  assert.ok(fresh.permissionOverwrites.cache.get(home.ownerId).deny.has(PermissionFlagsBits.AddReactions));
  await channel.permissionOverwrites.delete(home.ownerId);
  assert.ok((await home.channels.fetch()).has(channel.id));
  const deleted = next(client, Events.ChannelDelete);
  await channel.delete();
  assert.equal((await deleted).id, channel.id);
  await refusal(client.channels.fetch(channel.id, { force: true }), 10003);
}

async function messages({ client, channel, local }) {
  const data = Buffer.alloc(700_000, 'discobase');
  const arrived = next(client, Events.MessageCreate);
  const sent = await channel.send({
    content: 'héllo 🌍',
    embeds: [{ title: 't', fields: [{ name: 'n', value: 'v' }] }],
    files: [{ attachment: data, name: 'data.bin', description: 'nine letters' }],
  });
  const seen = await arrived;
  assert.deepEqual([seen.id, seen.content, seen.embeds[0].fields[0].value], [sent.id, 'héllo 🌍', 'v']);
  const file = (await channel.messages.fetch({ message: sent.id, force: true })).attachments.first();
  assert.deepEqual([file.name, file.size, file.description], ['data.bin', data.length, 'nine letters']);
  assert.ok(Buffer.from(await (await fetch(file.url)).arrayBuffer()).equals(data));
  const updated = next(client, Events.MessageUpdate);
  const edited = await sent.edit({ content: 'other', embeds: [] });
  assert.deepEqual([edited.content, edited.embeds.length, edited.attachments.size], ['other', 0, 1]);
  assert.ok((await updated)[1].editedTimestamp);
  const answer = await sent.reply('re');
  assert.equal(answer.type, MessageType.Reply);
  assert.equal((await answer.fetchReference()).content, 'other');
  const mention = next(client, Events.MessageCreate, (one) => one.content.startsWith('<@'));
  await local.do('messages', { channel_id: channel.id, content: `<@${client.user.id}> look` });
  assert.ok((await mention).mentions.has(client.user));
  const gone = next(client, Events.MessageDelete);
  await sent.delete();
  assert.equal((await gone).id, sent.id);
  await refusal(channel.messages.fetch({ message: sent.id, force: true }), 10008);
  await refusal(channel.send('x'.repeat(2001)), 50035);
}

async function paging({ client, channel }) {
  const ids = [];
  for (let number = 0; number < 120; number += 1) ids.push((await channel.send(`${number}`)).id);
  const first = await channel.messages.fetch({ limit: 100, cache: false });
  assert.deepEqual([...first.keys()], ids.slice(20).reverse());
  const rest = await channel.messages.fetch({ limit: 100, before: first.lastKey(), cache: false });
  assert.deepEqual([...rest.keys()], ids.slice(0, 20).reverse());
  const after = await channel.messages.fetch({ limit: 5, after: ids[10], cache: false });
  assert.deepEqual([...after.keys()].sort(), ids.slice(11, 16));
  const bulk = next(client, Events.MessageBulkDelete);
  const deleted = await channel.bulkDelete(100);
  assert.equal(deleted.size, 100);
  assert.equal((await bulk)[0].size, 100);
  const left = await channel.messages.fetch({ limit: 100, cache: false });
  assert.deepEqual([...left.keys()], ids.slice(0, 20).reverse());
}

async function pins({ client, channel }) {
  const message = await channel.send('keep this');
  const updated = next(client, Events.ChannelPinsUpdate);
  const note = next(client, Events.MessageCreate, (one) => one.type === MessageType.ChannelPinnedMessage);
  await message.pin();
  assert.equal((await updated)[0].id, channel.id);
  assert.equal((await note).reference.messageId, message.id);
  const page = await channel.messages.fetchPins();
  assert.deepEqual([page.items.map((pin) => pin.message.id), page.hasMore], [[message.id], false]);
  assert.ok(page.items[0].pinnedTimestamp);
  await message.unpin();
  assert.equal((await channel.messages.fetchPins()).items.length, 0);
}

async function reactions({ client, channel, local }) {
  const message = await channel.send('react');
  const added = next(client, Events.MessageReactionAdd);
  await message.react('👍');
  assert.equal((await added)[0].emoji.name, '👍');
  const person = await local.do('members', { name: 'eve' });
  const second = next(client, Events.MessageReactionAdd, (_, user) => user.id === person.id);
  await local.do('reactions', { channel_id: channel.id, message_id: message.id, emoji: '👍', user_id: person.id });
  await second;
  const fresh = await channel.messages.fetch({ message: message.id, force: true });
  const reaction = fresh.reactions.cache.get('👍');
  assert.deepEqual([reaction.count, reaction.me], [2, true]);
  assert.deepEqual([...(await reaction.users.fetch()).keys()].sort(), [client.user.id, person.id].sort());
  const removed = next(client, Events.MessageReactionRemove);
  await reaction.users.remove(person.id);
  assert.equal((await removed)[1].id, person.id);
  const cleared = next(client, Events.MessageReactionRemoveAll);
  await fresh.reactions.removeAll();
  await cleared;
}

async function invites({ client, channel, local }) {
  const created = next(client, Events.InviteCreate);
  const invite = await channel.createInvite({ maxUses: 1, maxAge: 3600, unique: true });
  assert.equal((await created).code, invite.code);
  assert.equal((await client.fetchInvite(invite.code)).guild.id, channel.guild.id);
  assert.equal((await channel.fetchInvites()).get(invite.code).maxUses, 1);
  const joined = next(client, Events.GuildMemberAdd);
  const gone = next(client, Events.InviteDelete);
  const guest = await local.do('join', { code: invite.code, name: 'guest' });
  assert.equal((await joined).id, guest.id);
  assert.equal((await gone).code, invite.code);
  const other = await channel.createInvite();
  await other.delete();
  await refusal(client.fetchInvite(other.code), 10006);
}

async function threads({ client, channel }) {
  const message = await channel.send('topic');
  const created = next(client, Events.ThreadCreate);
  const thread = await message.startThread({ name: 'talk', autoArchiveDuration: 60 });
  const [seen] = await created;
  assert.deepEqual([seen.id, thread.id, seen.type], [message.id, message.id, ChannelType.PublicThread]);
  await thread.send('first');
  assert.ok((await thread.messages.fetch()).some((one) => one.type === MessageType.ThreadStarterMessage));
  assert.equal((await thread.fetchStarterMessage()).content, 'topic');
  await thread.setArchived(true);
  const archived = await channel.threads.fetchArchived();
  assert.deepEqual([[...archived.threads.keys()], archived.hasMore], [[thread.id], false]);
  await thread.setArchived(false);
  const private_ = await channel.threads.create({ name: 'secret', type: ChannelType.PrivateThread, invitable: false });
  assert.deepEqual([...(await channel.threads.fetchActive()).threads.keys()].sort(), [thread.id, private_.id].sort());
  assert.equal((await private_.members.fetch()).size, 1);
  await private_.leave();
}

async function commands({ client, channel, home, local }) {
  const registered = await home.commands.set([
    {
      name: 'add',
      description: 'Adds two numbers',
      options: [
        { name: 'first', description: 'one', type: ApplicationCommandOptionType.Integer, required: true },
        { name: 'second', description: 'two', type: ApplicationCommandOptionType.Integer, maxValue: 10 },
      ],
    },
    { name: 'slow', description: 'Takes its time' },
    { name: 'panel', description: 'Shows a panel' },
    { name: 'find', description: 'Finds', options: [{ name: 'what', description: 'x', type: 3, autocomplete: true }] },
    { name: 'Greet', type: ApplicationCommandType.User },
  ]);
  assert.equal(registered.size, 5);
  await client.application.commands.create({ name: 'everywhere', description: 'In all guilds' });
  assert.equal((await client.application.commands.fetch()).size, 1);
  const edited = await home.commands.edit(registered.find((one) => one.name === 'slow'), { description: 'Slowly' });
  assert.equal(edited.description, 'Slowly');

  const answer = async (interaction) => {
    if (interaction.isAutocomplete()) return interaction.respond([{ name: 'One', value: interaction.options.getFocused() + '1' }]);
    if (interaction.isUserContextMenuCommand()) return interaction.reply(`hello ${interaction.targetUser.username}`);
    if (interaction.isModalSubmit()) return interaction.reply(`thanks for ${interaction.fields.getTextInputValue('text')}`);
    if (interaction.customId === 'click') return interaction.update({ content: 'clicked', components: [] });
    if (interaction.customId === 'ask') {
      const text = new TextInputBuilder().setCustomId('text').setLabel('What?').setStyle(TextInputStyle.Short);
      const row = new ActionRowBuilder().addComponents(text);
      return interaction.showModal(new ModalBuilder().setCustomId('form').setTitle('Feedback').addComponents(row));
    }
    switch (interaction.commandName) {
      case 'add': {
        const sum = interaction.options.getInteger('first') + (interaction.options.getInteger('second') ?? 1);
        return interaction.reply({ content: `${sum}`, flags: MessageFlags.Ephemeral });
      }
      case 'slow':
        await interaction.deferReply();
        await interaction.editReply('here it is');
        return interaction.followUp('and more');
      case 'panel': {
        const button = (id) => new ButtonBuilder().setCustomId(id).setLabel(id).setStyle(ButtonStyle.Primary);
        const row = new ActionRowBuilder().addComponents(button('click'), button('ask'));
        const reply = await interaction.reply({ content: 'panel', components: [row], withResponse: true });
        assert.equal(reply.resource.message.content, 'panel');
        return;
      }
      default:
        await interaction.reply('global');
        return interaction.deleteReply();
    }
  };
  const failed = [];
  client.on(Events.InteractionCreate, (interaction) => answer(interaction).catch((error) => failed.push(error)));
  const person = await local.do('members', { name: 'trent' });
  const use = (body) => local.do('interactions', { channel_id: channel.id, user_id: person.id, ...body });
  const sum = await use({ command: 'add', options: { first: 40, second: 2 } });
  assert.deepEqual([sum.message.content, sum.message.flags & 64], ['42', 64]);
  const more = next(client, Events.MessageCreate, (one) => one.content === 'and more');
  assert.equal((await use({ command: 'slow' })).message.content, 'here it is');
  await more;
  assert.deepEqual((await use({ command: 'find', options: { what: 'x' }, focused: 'what' })).choices, [{ name: 'One', value: 'x1' }]);
  assert.equal((await use({ command: 'Greet', type: 2, target_id: home.ownerId })).message.content, 'hello owner');
  const panel = (await use({ command: 'panel' })).message.id;
  const asked = await use({ message_id: panel, custom_id: 'ask' });
  const thanks = await local.do('interactions', { interaction_id: asked.id, fields: { text: 'all' } });
  assert.equal(thanks.message.content, 'thanks for all');
  assert.equal((await use({ message_id: panel, custom_id: 'click' })).message.content, 'clicked');
  const gone = next(client, Events.MessageDelete, (one) => one.content === 'global');
  await use({ command: 'everywhere' });
  await gone;
  await home.commands.delete(registered.first().id);
  await assert.rejects(use({ command: 'add', options: { first: 1 } }), (error) => error.code === 10063);
  assert.deepEqual(failed, []);
}

async function reconnecting({ client, channel, local }) {
  const resumed = next(client, Events.ShardResume);
  await local.do('gateway', { order: 'cut' });
  const missed = next(client, Events.MessageCreate);
  await local.do('messages', { channel_id: channel.id, content: 'while you were away' });
  assert.equal((await missed).content, 'while you were away');
  await resumed;
  const again = next(client, Events.ShardResume);
  await local.do('gateway', { order: 'reconnect' });
  await again;
  const ready = next(client, Events.ShardReady);
  await local.do('gateway', { order: 'invalidate' });
  await ready;
}

async function pacing({ channel, local }) {
  const start = performance.now();
  const sent = await Promise.all(Array.from({ length: 11 }, (_, number) => channel.send(`${number}`)));
  const took = (performance.now() - start) / 1000;
  assert.equal(new Set(sent.map((one) => one.id)).size, 11);
  assert.ok(took > 9.5, `11 messages at 5 in 5 seconds took ${took} s`);
  const refused = (await local.stats()).too_many_requests;
  assert.ok(refused <= 3, `${refused} replies of 429 although the headers tell`);
  const action = { kind: 'too_many_requests', limit: 'shared', retry_after: 1.5 };
  await local.do('faults', { method: 'POST', route: '/channels/{channel}/messages', action });
  const patient = performance.now();
  await channel.send('patience');
  assert.ok(performance.now() - patient > 1400);
  assert.equal((await local.stats()).too_many_requests, refused + 1);
}

async function withBot(local, act) {
  const intents = Object.values(GatewayIntentBits).filter((one) => typeof one === 'number');
  const partials = [Partials.Message, Partials.Channel, Partials.Reaction];
  const client = new Client({ intents, partials, rest: { api: `${local.api}/api` } });
  const ready = next(client, Events.ClientReady);
  await client.login(local.token);
  await ready;
  try {
    assert.equal(client.user.id, local.application_id);
    await act(client, client.guilds.cache.get(local.guild_id));
  } finally {
    await client.destroy();
  }
}

async function withGuild(args, act) {
  const local = await Guild.start(...args);
  try {
    await withBot(local, (client, home) => act(local, client, home));
  } finally {
    await local.stop();
  }
}

await withGuild(['--no-rate-limits', '--privileged-intents'], async (local, client, home) => {
  for (const step of [channels, messages, paging, pins, reactions, invites, threads, commands, reconnecting]) {
    const channel = await home.channels.create({ name: step.name });
    await step({ client, home, channel, local });
    console.log(`discord.js: ${step.name}`);
  }
});
await withGuild(['--privileged-intents'], async (local, client, home) => {
  const channel = home.channels.cache.find((one) => one.type === ChannelType.GuildText);
  await pacing({ channel, local });
  console.log('discord.js: pacing');
});
