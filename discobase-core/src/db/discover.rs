//! Which guild a database is in, and whether the bot may do there what it must.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::GuildId;
use crate::transport::{BotUser, Guild, Permissions, Transport, explain};

/// Which guild to use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum GuildChoice {
    /// The one named like the database, else the bot's only one.
    #[default]
    ByDatabaseName,
    /// The one with this id.
    Id(GuildId),
    /// The one with this name.
    Name(String),
}

/// Finds the guild among those the bot is in, and checks the bot's permissions in it: all that
/// are needed, or those for reading.
pub(crate) async fn guild(
    transport: &dyn Transport,
    bot: &BotUser,
    choice: &GuildChoice,
    db: &str,
    reads_only: bool,
) -> Result<Guild> {
    let guilds = transport.guilds().await.map_err(|error| explain(&error, "listing the bot's guilds"))?;
    let guild = choose(&guilds, choice, db, bot)?;
    let missing = if reads_only { guild.permissions.missing_to_read() } else { guild.permissions.missing() };
    if missing.is_empty() {
        return Ok(guild);
    }
    Err(Error::new(
        ErrorKind::MissingPermissions,
        format!(
            "the bot {} lacks permissions in guild {} ({}): allow it {} under Server Settings, Roles, or invite \
             it again: {}",
            bot.name,
            guild.name,
            guild.id,
            missing.join(", "),
            invite(bot, Some(guild.id))
        ),
    ))
}

fn choose(guilds: &[Guild], choice: &GuildChoice, db: &str, bot: &BotUser) -> Result<Guild> {
    let named = |name: &str| guilds.iter().filter(|guild| guild.name == name).cloned().collect::<Vec<_>>();
    let (wanted, mut found) = match choice {
        GuildChoice::Id(id) => (
            format!("with id {id}"),
            guilds.iter().filter(|guild| guild.id == *id).cloned().collect::<Vec<_>>(),
        ),
        GuildChoice::Name(name) => (format!("named {name:?}"), named(name)),
        GuildChoice::ByDatabaseName => match named(db) {
            found if found.is_empty() => (format!("named {db:?}, or only one guild"), guilds.to_owned()),
            found => (format!("named {db:?}"), found),
        },
    };
    if found.len() > 1 {
        let list: Vec<String> =
            found.iter().map(|guild| format!("{:?} ({})", guild.name, guild.id)).collect();
        return Err(Error::new(
            ErrorKind::AmbiguousGuild,
            format!(
                "more than one guild fits: {}. Choose one: Database::builder({db:?}).guild_id(…), or set \
                 DISCORD_GUILD to its id",
                list.join(", ")
            ),
        ));
    }
    found.pop().ok_or_else(|| {
        let others: Vec<String> =
            guilds.iter().map(|guild| format!("{:?} ({})", guild.name, guild.id)).collect();
        let others =
            if others.is_empty() { "no guild at all".to_owned() } else { format!("only {}", others.join(", ")) };
        Error::new(
            ErrorKind::GuildNotFound,
            format!(
                "the bot {} needs a guild {wanted}, but is in {others}. Bots can't create guilds: create a server \
                 in Discord and invite the bot with {}",
                bot.name,
                invite(bot, None)
            ),
        )
    })
}

/// The link with which a person adds the bot, with exactly the permissions it needs
/// (Discord docs, "OAuth2": Bot Authorization Flow).
pub(crate) fn invite(bot: &BotUser, guild: Option<GuildId>) -> String {
    let permissions = Permissions::required().0;
    let guild = guild.map_or(String::new(), |id| format!("&guild_id={id}&disable_guild_select=true"));
    format!(
        "https://discord.com/oauth2/authorize?client_id={}&scope=bot+applications.commands&permissions={permissions}{guild}",
        bot.application
    )
}
