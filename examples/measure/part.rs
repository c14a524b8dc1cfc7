//! Processes: this program starts itself again for each part of a measurement.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write as _, stdout};
use std::process::{Child, Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{
    Result, concurrency, encryption, grouping, guild, latency, loading, lookup, memory, opening, reading,
    updating,
};

/// What a process does. It prints what came out as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    Guild(guild::Guild),
    Concurrency(concurrency::Concurrency),
    Latency(latency::Latency),
    Load(loading::Load),
    Open(opening::Open),
    Lookup(lookup::Lookup),
    Reading(reading::Reading),
    Memory(memory::Memory),
    Encryption(encryption::Encryption),
    Updating(updating::Updating),
    Group(grouping::Group),
}

impl Part {
    /// Does what another process asked for with [`Part::start`].
    pub(crate) fn run(part: &str) -> Result<()> {
        let part: Self = serde_json::from_str(part)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match part {
                Self::Guild(part) => part.run().await,
                Self::Concurrency(part) => print(&part.run().await?),
                Self::Latency(part) => print(&part.run().await?),
                Self::Load(part) => print(&part.run().await?),
                Self::Open(part) => print(&part.run().await?),
                Self::Lookup(part) => print(&part.run().await?),
                Self::Reading(part) => print(&part.run().await?),
                Self::Memory(part) => print(&part.run().await?),
                Self::Encryption(part) => print(&part.run().await?),
                Self::Updating(part) => print(&part.run().await?),
                Self::Group(part) => print(&part.run().await?),
            }
        })
    }

    /// Has a process of its own do it, and gives what that printed.
    pub(crate) fn measure<T: DeserializeOwned>(&self) -> Result<T> {
        let (mut child, printed) = self.start()?;
        let ended = child.wait()?;
        if !ended.success() {
            return Err(self.failed(ended));
        }
        Ok(printed)
    }

    /// Starts a process and waits for its line.
    pub(crate) fn start<T: DeserializeOwned>(&self) -> Result<(Child, T)> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--part")
            .arg(serde_json::to_string(self)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        match serde_json::from_str(&line) {
            Ok(printed) => Ok((child, printed)),
            Err(_) => Err(self.failed(child.wait()?)),
        }
    }

    fn failed(&self, how: impl Display) -> Box<dyn std::error::Error> {
        format!("{self:?} ended without a result ({how})").into()
    }
}

/// Prints the one line that the process was started for.
pub(crate) fn print<T: Serialize>(result: &T) -> Result<()> {
    let mut output = stdout().lock();
    serde_json::to_writer(&mut output, result)?;
    writeln!(output)?;
    output.flush()?;
    Ok(())
}
