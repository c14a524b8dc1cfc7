//! What the programs that measure something are asked to do: which of what they can, how often, and how to say it.

use clap::Args;

use crate::Result;

/// Arguments that they have in common.
#[derive(Args)]
pub(crate) struct Choice {
    /// Do only this; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Name what can be done and do nothing
    #[arg(long)]
    list: bool,
    /// Print everything as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How often what can be repeated is repeated; medians are reported
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What one of the processes is to do that this program starts, as JSON
    #[arg(long, hide = true)]
    pub(crate) part: Option<String>,
}

impl Choice {
    /// Those of `all` that are asked for. Each has a name and says what it is about; `kind` is what one is called. `None` if
    /// they are only to be listed, which was done.
    pub(crate) fn among<'a, T>(
        &self,
        all: &'a [T],
        kind: &str,
        told: impl Fn(&T) -> (&'static str, &'static str),
    ) -> Result<Option<Vec<&'a T>>> {
        if self.list {
            for (name, about) in all.iter().map(told) {
                println!("{name:16} {about}");
            }
            return Ok(None);
        }
        if let Some(unknown) = self.only.iter().find(|name| all.iter().all(|one| told(one).0 != **name)) {
            return Err(format!("there is no {kind} {unknown:?}; --list names them").into());
        }
        let is_asked_for =
            |one: &&T| self.only.is_empty() || self.only.iter().any(|name| *name == told(one).0);
        Ok(Some(all.iter().filter(is_asked_for).collect()))
    }

    /// How often what can be repeated is repeated: at least once.
    pub(crate) fn runs(&self) -> usize {
        self.runs.max(1)
    }
}
