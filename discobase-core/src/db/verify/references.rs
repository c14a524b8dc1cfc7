//! Whether the rows in memory refer to rows that are there. No commit makes one that does not: what is found is what
//! damage left behind, or what was written by a program that does not check.

use std::sync::Arc;

use super::Pass;
use super::report::{Deviation, DeviationKind as Kind, KEPT};
use crate::batch::TableDef;
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::session::{check_definitions, orphans};
use crate::tables::{Reference, TableState, Tables};

impl Pass<'_> {
    /// Checks the references of all tables, as of one commit. Lazy tables are loaded for it, as for the rest.
    pub(super) async fn references(&mut self, memory: &Tables) -> Result<()> {
        let defs: Vec<&TableDef> = memory.iter().map(|slot| &**slot.def()).collect();
        if let Err(error) = check_definitions(&defs) {
            let mut deviation = Deviation::new(Kind::BrokenReference, error.text());
            deviation.table.clone_from(&error.place().table);
            deviation.field.clone_from(&error.place().field);
            self.found(deviation);
        }
        for def in defs {
            let from = memory.references().from(def.id);
            if from.is_empty() || self.only.as_ref().is_some_and(|only| !only.contains(&def.name)) {
                continue;
            }
            // A table that can't be loaded is reported as one whose rows were not compared.
            let engine = &self.site.link().engine;
            let Ok(Some(children)) = engine.table_in(memory, def.id, None).await else { continue };
            for reference in from {
                match engine.table_in(memory, reference.parent, None).await {
                    Ok(Some(parents)) => self.reference(&children, &parents, *reference).await?,
                    Ok(None) => {}
                    Err(error) => {
                        let text = format!(
                            "a lazy table that the table refers to could not be loaded, so its references were not \
                             checked: {error}"
                        );
                        self.found(Deviation::new(Kind::NotCompared, text).table(&def.name));
                    }
                }
            }
        }
        Ok(())
    }

    async fn reference(
        &mut self,
        children: &Arc<TableState>,
        parents: &Arc<TableState>,
        reference: Reference,
    ) -> Result<()> {
        let (def, parent) = (Arc::clone(children.def()), Arc::clone(parents.def()));
        let (children, parents) = (Arc::clone(children), Arc::clone(parents));
        let look = heavy(&self.site.reader.env, move || orphans(&children, &parents, &reference, KEPT));
        let failed = || Error::new(ErrorKind::Damaged, "checking the references of a table failed");
        let (found, more) = look.await.ok_or_else(failed)?;
        for orphan in found {
            let text = format!(
                "a record of {} refers to a record of {} that is not there, by {} {}: damage, or a program that does \
                 not check references, has left it so. Save the record that it refers to again, or change or delete \
                 this one",
                def.name, parent.name, orphan.fields, orphan.parent
            );
            let deviation = Deviation::new(Kind::BrokenReference, text).table(&def.name).channel(def.channel);
            self.found(deviation.field(orphan.fields).key(orphan.key));
        }
        self.found.omit(more);
        Ok(())
    }
}
