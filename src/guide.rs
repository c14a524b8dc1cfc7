//! The Rust code of the README and of the guide's chapters, as doctests.

#[doc = include_str!("../README.md")]
mod readme {}

#[doc = include_str!("../docs/guide/01-install.md")]
mod install {}

#[doc = include_str!("../docs/guide/02-tables.md")]
mod tables {}

#[doc = include_str!("../docs/guide/03-saving.md")]
mod saving {}

#[doc = include_str!("../docs/guide/04-queries.md")]
mod queries {}

#[doc = include_str!("../docs/guide/05-errors.md")]
mod errors {}

#[doc = include_str!("../docs/guide/06-limits-and-terms.md")]
mod limits_and_terms {}

#[doc = include_str!("../docs/guide/07-from-python.md")]
mod from_python {}

#[doc = include_str!("../docs/guide/08-observability.md")]
mod observability {}

#[doc = include_str!("../docs/guide/09-following.md")]
mod following {}

#[doc = include_str!("../docs/guide/10-encryption.md")]
mod encryption {}

#[doc = include_str!("../docs/guide/11-sessions.md")]
mod sessions {}

#[doc = include_str!("../docs/guide/12-checking-and-mending.md")]
mod checking_and_mending {}

#[doc = include_str!("../docs/guide/13-checkpoints.md")]
mod checkpoints {}

#[doc = include_str!("../docs/guide/14-models.md")]
mod models {}

#[doc = include_str!("../docs/guide/15-lazy-tables.md")]
mod lazy_tables {}

#[doc = include_str!("../docs/guide/16-migrations.md")]
mod migrations {}

#[doc = include_str!("../docs/guide/17-modules.md")]
mod modules {}

#[doc = include_str!("../docs/guide/18-counting-grouping-paging.md")]
mod counting_grouping_paging {}

#[doc = include_str!("../docs/guide/20-bringing-data-over.md")]
mod bringing_data_over {}
#[doc = include_str!("../docs/guide/19-relations.md")]
mod relations {}

#[doc = include_str!("../docs/guide/21-coming-from.md")]
mod coming_from {}
