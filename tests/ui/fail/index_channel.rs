//! Every index has a channel of its own, whose name Discord must accept.

use discobase::Table;

#[derive(Table)]
struct Membership {
    #[table(key)]
    guild: u64,
    #[table(key)]
    user: u64,
    #[table(unique)]
    guild_user: u64,
}

#[derive(Table)]
#[table(name = "a_table_name_of_exactly_sixty_characters_that_leaves_forty_x")]
struct Long {
    #[table(index)]
    fits_because_it_has_only_thirty_nine_xx: u64,
    #[table(index)]
    does_not_fit_because_it_has_forty_chars_: u64,
}

fn main() {}
