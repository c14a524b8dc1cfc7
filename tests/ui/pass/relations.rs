//! Relations between structs of several modules, of words of the language, and in a circle.
#![deny(warnings, missing_docs, unreachable_pub)]

/// Who writes.
pub mod people {
    use discobase::Table;

    /// A person.
    #[derive(Debug, Clone, Table)]
    #[table(has_many(letters = super::post::Letter.author), has_many(children = Person.mother_id))]
    #[table(has_one(r#box = super::post::Mailbox.person_id))]
    pub struct Person {
        /// The key.
        #[table(key)]
        pub name: String,
        /// Another person.
        #[table(references = Person, on_delete = set_null)]
        pub mother_id: Option<String>,
        /// Where letters arrive.
        #[table(references = super::post::Mailbox, relation = arrives_at)]
        pub mailbox: Option<u32>,
    }
}

/// What is written.
pub mod post {
    use discobase::Table;

    use crate::people::Person;

    /// A letter.
    #[derive(Debug, Table)]
    pub struct Letter {
        /// Who wrote it.
        #[table(references = Person, on_delete = restrict, relation = writer)]
        pub author: String,
        /// A word of the language.
        #[table(references = Mailbox, on_delete = cascade)]
        pub type_id: u32,
    }

    /// Where letters arrive.
    #[derive(Debug, Clone, Table)]
    pub struct Mailbox {
        /// The key.
        #[table(key)]
        pub number: u32,
        /// Whose it is.
        #[table(unique, references = Person)]
        pub person_id: String,
    }
}

use discobase::{Database, Entity, Result, Table};
use people::Person;
use post::Letter;

async fn _use(db: &Database) -> Result<()> {
    let found = Person::find(db)
        .filter(|p| p.letters.any(|l| l.r#type.has(|m| m.number.gt(5))) & p.arrives_at.exists() & p.r#box.exists())
        .with(|p| (p.letters.with(|l| (l.writer, l.r#type)), p.mother, p.r#box))
        .all()
        .await?;
    for (person, (letters, mother, _)) in found {
        let _: Option<discobase::Record<Person>> = mother;
        for (letter, (writer, _)) in letters {
            let _: (discobase::Record<Letter>, discobase::Record<Person>) = (letter, writer);
        }
        let _ = person.letters(db).filter(|l| l.author.eq("x")).count().await?;
        let _: Option<discobase::Record<Person>> = person.mother(db).await?;
        let _ = person.r#box(db).await?;
    }
    Ok(())
}

fn main() {
    let references = Letter::SCHEMA.indexes.iter().filter_map(|index| index.references);
    assert_eq!(references.map(|reference| reference.table).collect::<Vec<_>>(), ["person", "mailbox"]);
}
