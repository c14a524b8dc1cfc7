//! A bot of two modules, each with a database of its own. One of them is updated while the bot runs, to a version whose
//! table has a column more.
//!
//! Runs on a local guild in `target/profiles.redb`; with `DISCORD_TOKEN` set, on Discord, in the server whose id is in
//! `DISCORD_GUILD`. `DISCORD_API` names something else that speaks Discord's protocol.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod first;
mod greetings;
mod second;

use std::error::Error;

use discobase::Database;
use discobase::transport::twilight::TwilightConfig;
use discobase_modules::{BotConfig, ModuleConfig, ModuleLoader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let loader = loader().await?;

    loader.load(greetings::Greetings, ModuleConfig::parse(include_str!("greetings.yaml"))?).await?;
    println!("version 1.0.0:");
    let config = ModuleConfig::parse(include_str!("profiles-1.0.0.yaml"))?;
    match loader.load(first::Profiles, config).await {
        Ok(()) => use_first(&database(&loader, "profiles")?).await?,
        // On the second run: what was migrated is not for the old version, and stays as it is.
        Err(error) => println!("  refused: {error}"),
    }

    println!("updated to version 1.1.0:");
    loader.update(second::Profiles, ModuleConfig::parse(include_str!("profiles-1.1.0.yaml"))?).await?;
    use_second(&database(&loader, "profiles")?).await?;

    println!("each module has its own:");
    for module in loader.status() {
        let db = database(&loader, &module.name)?;
        println!("  {} {} keeps {:?} in channel {}", module.name, module.version, db.tables(), db.journal()?);
    }
    let greetings = greetings::all(&database(&loader, "greetings")?).await?;
    println!("  the greetings are {greetings:?}: no profile is among them");
    assert_eq!(greetings, ["ciao"]);

    loader.close().await;
    Ok(())
}

/// With the databases in the local guild that `bot.yaml` names, or on Discord.
async fn loader() -> Result<ModuleLoader, Box<dyn Error>> {
    let Ok(token) = std::env::var("DISCORD_TOKEN") else {
        return Ok(ModuleLoader::new(BotConfig::parse(include_str!("bot.yaml"))?, None).await?);
    };
    let guild = std::env::var("DISCORD_GUILD").map_err(|_| "set DISCORD_GUILD to the server's id")?;
    let config = BotConfig::parse(&format!("enable-db: true\ndb-url: discord://{guild}\n"))?;
    let mut discord = TwilightConfig::new(token);
    if let Ok(api) = std::env::var("DISCORD_API") {
        discord.api = api.parse()?;
    }
    Ok(ModuleLoader::with_discord(config, discord).await?)
}

fn database(loader: &ModuleLoader, module: &str) -> Result<Database, String> {
    loader.database(module).ok_or_else(|| format!("module {module} has no database"))
}

async fn use_first(db: &Database) -> Result<(), Box<dyn Error>> {
    use first::{add_points, get_user_points};
    println!("  user 1 has {} points", get_user_points(db, 1).await?);
    // At once, for a user who has no profile yet: one creates it, and nothing is lost.
    let added: Vec<_> = (0..10)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { add_points(&db, 1, 25).await })
        })
        .collect();
    for points in added {
        points.await??;
    }
    add_points(db, 2, 99).await?;
    println!(
        "  user 1 has {} points, user 2 has {}",
        get_user_points(db, 1).await?,
        get_user_points(db, 2).await?
    );
    assert_eq!(get_user_points(db, 1).await?, 250);
    Ok(())
}

async fn use_second(db: &Database) -> discobase::Result<()> {
    for level in 1..=3 {
        println!("  level {level}: {:?}", second::names_of_level(db, level).await?);
    }
    assert_eq!(second::names_of_level(db, 3).await?, ["User_1"], "250 points");
    Ok(())
}
