//! The local guild as a program: it serves until it is interrupted.
//!
//! Once it serves it prints one line of JSON with everything a client needs.

use clap::Parser;
use discobase_guild::{GuildError, Limits, LocalGuild, Rate};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A Discord of your own for development and tests, on a loopback port.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Keep everything in this file (default: in memory)
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Listen on this port (default: any free one)
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Name of the guild, if it is made now
    #[arg(long, value_name = "NAME", default_value = "discobase")]
    guild: String,
    /// Token of the bot (default: made up, and kept in the file)
    #[arg(long, value_name = "TOKEN", env = "DISCOBASE_GUILD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Do not wait for the disk: survives the end of the program, perhaps not that of the system
    #[arg(long)]
    no_sync: bool,
    /// Switch the bot's privileged intents on: members, presences, message content
    #[arg(long)]
    privileged_intents: bool,
    /// Switch off all rate limits; sizes and counts stay
    #[arg(long)]
    no_rate_limits: bool,
    /// Let a channel take this many messages in 5 seconds (default: 5, as Discord does)
    #[arg(long, value_name = "N")]
    message_rate: Option<u64>,
    /// Let each request and its reply take this long together, in milliseconds (default: no longer than they do)
    #[arg(long, value_name = "MS", default_value_t = 0)]
    round_trip: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            // Nothing is left to do if even this cannot be written.
            let _closed = writeln!(std::io::stderr(), "discobase-guild: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let guild = start(arguments).await?;
        let hello = serde_json::json!({
            "api": guild.api(),
            "gateway": guild.gateway(),
            "guild_id": guild.guild_id().to_string(),
            "application_id": guild.application_id().to_string(),
            "token": guild.token(),
        });
        writeln!(std::io::stdout(), "{hello}")?;
        stop.await;
        guild.stop().await;
        Ok(())
    })
}

async fn start(arguments: Arguments) -> Result<LocalGuild, GuildError> {
    let mut limits = if arguments.no_rate_limits { Limits::unlimited() } else { Limits::discord() };
    if let Some(count) = arguments.message_rate {
        limits.message_create = Some(Rate { count, window_ms: 5_000 });
    }
    let mut builder = LocalGuild::builder()
        .port(arguments.port)
        .guild_name(arguments.guild)
        .limits(limits)
        .round_trip(Duration::from_millis(arguments.round_trip))
        .sync(!arguments.no_sync);
    if let Some(path) = arguments.data {
        builder = builder.data(path);
    }
    if let Some(token) = arguments.token {
        builder = builder.token(token);
    }
    let guild = builder.start().await?;
    if arguments.privileged_intents {
        guild.allow_privileged_intents();
    }
    Ok(guild)
}

/// Ctrl-C, or the signal by which service managers end a program.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _interrupted = tokio::signal::ctrl_c().await;
    })
}
