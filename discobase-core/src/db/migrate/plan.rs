//! Which steps a database has, which it lacks, and whether those of the program go with it: pure.

use semver::Version;

use crate::batch::AppliedStep;
use crate::db::migrate::step::{Step, parse};
use crate::error::{Error, ErrorKind, Result};

/// A program's steps, in the order of their versions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    steps: Vec<(Version, Step)>,
}

impl Steps {
    /// Adds a step.
    pub(crate) fn add(&mut self, step: Step) -> Result<()> {
        let version = step.parsed()?;
        let place = self.steps.partition_point(|(known, _)| known.cmp_precedence(&version).is_lt());
        if let Some((_, known)) =
            self.steps.get(place).filter(|(known, _)| known.cmp_precedence(&version).is_eq())
        {
            return Err(Error::new(
                ErrorKind::Migration,
                format!(
                    "two migration steps lead to version {}: {:?} and {:?}; give one of them another version",
                    step.version(),
                    known.name(),
                    step.name()
                ),
            ));
        }
        self.steps.insert(place, (version, step));
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.steps.iter().map(|(_, step)| step)
    }

    /// The step that leads to a version.
    pub(crate) fn get(&self, version: &str) -> Option<&Step> {
        self.iter().find(|step| step.version() == version)
    }

    /// The steps that are to be applied to a database that has these, in their order.
    pub(crate) fn pending(&self, applied: &[AppliedStep]) -> Result<Vec<&Step>> {
        let mut last: Option<(Version, &AppliedStep)> = None;
        for record in applied {
            let known = self.get(&record.version).ok_or_else(|| unknown(record))?;
            if known.checksum() != record.checksum {
                return Err(changed(record));
            }
            last = Some((parse(&record.version, &record.name)?, record));
        }
        let is_new =
            |step: &&(Version, Step)| applied.iter().all(|record| record.version != step.1.version());
        let pending: Vec<_> = self.steps.iter().filter(is_new).collect();
        if let (Some((last, record)), Some((version, step))) = (&last, pending.first())
            && version.cmp_precedence(last).is_lt()
        {
            return Err(gap(step, record));
        }
        Ok(pending.into_iter().map(|(_, step)| step).collect())
    }
}

fn unknown(record: &AppliedStep) -> Error {
    let AppliedStep { version, name, .. } = record;
    Error::new(
        ErrorKind::Migration,
        format!(
            "the database was migrated to version {version} ({name}), and this program has no such step: start the \
             program's newer version, or revert the step with it"
        ),
    )
}

fn changed(record: &AppliedStep) -> Error {
    let AppliedStep { version, name, .. } = record;
    Error::new(
        ErrorKind::Migration,
        format!(
            "the migration step {version} ({name}) is not what it was when it was applied: leave applied steps as they \
             are, and write a new one for what is to change"
        ),
    )
}

fn gap(step: &Step, record: &AppliedStep) -> Error {
    Error::new(
        ErrorKind::Migration,
        format!(
            "the migration step {} ({}) was not applied, but the later {} ({}) was: give it a version above {}",
            step.version(),
            step.name(),
            record.version,
            record.name,
            record.version
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(versions: &[&str]) -> Steps {
        let mut steps = Steps::default();
        versions.iter().for_each(|&version| steps.add(Step::new(version, format!("to {version}"))).unwrap());
        steps
    }

    fn applied(version: &str) -> AppliedStep {
        let step = Step::new(version, format!("to {version}"));
        AppliedStep { version: version.into(), name: step.name().into(), checksum: step.checksum(), at: 0 }
    }

    fn pending(steps: &Steps, has: &[&str]) -> Result<Vec<String>> {
        let has: Vec<_> = has.iter().map(|version| applied(version)).collect();
        steps.pending(&has).map(|steps| steps.iter().map(|step| step.version().to_owned()).collect())
    }

    #[test]
    fn versions_order_as_versions_do() {
        let steps = steps(&["1.10.0", "1.9.0", "2.0.0", "2.0.0-rc.1"]);
        assert_eq!(pending(&steps, &[]).unwrap(), ["1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0"]);
        assert_eq!(pending(&steps, &["1.9.0", "1.10.0"]).unwrap(), ["2.0.0-rc.1", "2.0.0"]);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refusal = |known: &[&str], has: &[&str]| pending(&steps(known), has).unwrap_err().to_string();
        assert!(refusal(&["1.0.0", "1.1.0"], &["1.1.0"]).contains("step 1.0.0 (to 1.0.0) was not applied"));
        assert!(refusal(&["1.0.0"], &["1.0.0", "1.1.0"]).contains("start the program's newer version"));
        let mut other = applied("1.0.0");
        other.checksum[0] ^= 1;
        let error = steps(&["1.0.0"]).pending(&[other]).unwrap_err();
        assert!(error.to_string().contains("is not what it was when it was applied"), "{error}");
        let error = Steps::default().add(Step::new("1.x", "odd")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration);
        assert!(error.to_string().contains("no semantic version"), "{error}");
        let mut twice = steps(&["1.0.0"]);
        let error = twice.add(Step::new("1.0.0+build", "twin")).unwrap_err();
        assert!(error.to_string().contains("two migration steps lead to version"), "{error}");
    }

    #[test]
    fn a_checksum_is_of_what_a_step_does() {
        let step =
            |name: &str, column: &str| Step::new("1.0.0", name).table("t", |table| table.add(column, 1_i64));
        assert_eq!(step("a", "x").checksum(), step("b", "x").checksum());
        assert_ne!(step("a", "x").checksum(), step("a", "y").checksum());
    }
}
