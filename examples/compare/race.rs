//! One contestant: its guild, its process, and what the guild counted while each task ran.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use discobase_guild::{LocalGuild, Stats};
use serde_json::json;

use crate::contestant::{Contestant, Kind, Part};
use crate::ours::Guild;
use crate::outcome::{Outcome, Printed, Ran};
use crate::sqlite::Sqlite;
use crate::{Conditions, Result, install};

/// After each task that asked for anything, so that none begins with a limit that the one before has used up.
const REST: Duration = Duration::from_secs(6);

/// Runs a contestant; the fast ones several times.
pub(crate) async fn run(contestant: &Contestant, conditions: &Conditions) -> Result<Ran> {
    let runs = if contestant.kind == Kind::Python { 1 } else { conditions.runs };
    let mut all = Vec::new();
    for _ in 0..runs {
        all.push(once(contestant, conditions).await?);
    }
    Ran::median(all).ok_or_else(|| "nothing ran".into())
}

async fn once(contestant: &Contestant, conditions: &Conditions) -> Result<Ran> {
    let folder = tempfile::tempdir_in(&conditions.target)?;
    let file = folder.path().join("data.sqlite");
    let in_discord = matches!(contestant.kind, Kind::Ours | Kind::Python);
    let guild = if in_discord {
        // In a file, so that nothing is confirmed before the disk has it.
        let builder = LocalGuild::builder().guild_name("compare").data(folder.path().join("guild.redb"));
        let guild = builder.round_trip(conditions.round_trip).start().await?;
        guild.allow_privileged_intents();
        Some(Arc::new(guild))
    } else {
        None
    };
    let address = guild.as_ref().map(|guild| Guild {
        api: guild.api().to_owned(),
        gateway: guild.gateway().to_owned(),
        token: guild.token().to_owned(),
        guild_id: guild.guild_id(),
    });
    let part = |part: &Part| -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--part").arg(serde_json::to_string(part)?);
        Ok(command)
    };
    let mut command = match (contestant.kind, address) {
        (Kind::Ours, Some(guild)) => part(&Part::Ours(guild))?,
        (Kind::Python, Some(guild)) => {
            let mut command = Command::new(install::python(&conditions.target)?);
            command
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benchmarks/python/contestants.py"))
                .arg(contestant.name);
            command.arg(json!({ "guild": guild, "budget": conditions.budget.as_secs() }).to_string());
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cities-10000.jsonl.gz"));
            command
        }
        (Kind::Sqlite, _) => part(&Part::Sqlite(Sqlite { file }))?,
        _ => {
            let mut command = Command::new(install::orm(&conditions.target)?);
            command
                .arg(file)
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cities-10000.jsonl.gz"));
            command
        }
    };
    let shared = guild.clone();
    let driven = move || drive(&mut command, shared.as_deref()).map_err(|error| error.to_string());
    let outcomes = tokio::task::spawn_blocking(driven).await?;
    if let Some(guild) = guild.and_then(Arc::into_inner) {
        guild.stop().await;
    }
    let Contestant { name, about, .. } = *contestant;
    let outcomes = outcomes.map_err(|error| format!("{name}: {error}"))?;
    Ok(Ran { name, about, in_discord, outcomes })
}

/// Reads the tasks one by one as they are done, and lets the next one begin.
fn drive(command: &mut Command, guild: Option<&LocalGuild>) -> Result<Vec<Outcome>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let outcomes = listen(&mut child, guild);
    if outcomes.is_err() {
        // It may have ended by itself.
        let _gone = child.kill();
    }
    let status = child.wait()?;
    match outcomes {
        Ok(_) if !status.success() => Err(format!("it ended with {status}").into()),
        outcomes => outcomes,
    }
}

fn listen(child: &mut Child, guild: Option<&LocalGuild>) -> Result<Vec<Outcome>> {
    let (mut input, output) =
        (child.stdin.take().ok_or("no input")?, child.stdout.take().ok_or("no output")?);
    let stats = || guild.map(LocalGuild::stats).unwrap_or_default();
    let mut before = stats();
    let mut outcomes = Vec::new();
    for line in BufReader::new(output).lines() {
        let (line, after) = (line?, stats());
        let printed: Printed = serde_json::from_str(&line).map_err(|error| format!("{line:?}: {error}"))?;
        let count = |stats: &Stats| stats.requests + stats.downloads;
        let requests = count(&after).saturating_sub(count(&before));
        let too_many_requests = after.too_many_requests.saturating_sub(before.too_many_requests);
        outcomes.push(Outcome { printed, requests, too_many_requests });
        if requests > 0 {
            std::thread::sleep(REST);
        }
        before = stats();
        writeln!(input)?;
    }
    Ok(outcomes)
}
