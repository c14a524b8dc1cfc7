//! A process that follows the journal of another.

use crate::journal::follow::{Step as Heard, Track};
use crate::journal::reader::Reader;
use crate::journal::rules::Clock;
use crate::model::explore::Name;
use crate::model::process::{Mode, Next};
use crate::model::state::{State, World, name};

impl World {
    /// A follower hears of any message there is, in any order, or of none; what it can't tell, it reads.
    pub(super) fn follow(
        &self,
        state: &State,
        at: usize,
        track: &Track,
        clock: Clock,
        hears: u8,
        next: Next<'_>,
    ) {
        if hears == 0 {
            return;
        }
        for posted in &state.guild.0 {
            let (mut track, mut clock) = (track.clone(), clock);
            clock.saw(posted.link.message, state.time());
            let mut after = state.clone();
            let heard = track.hear(&posted.link);
            let what = || format!("follower {at} hears {}: {heard:?}", name(&posted.link));
            match heard {
                Heard::Ignore => {}
                Heard::Take => {
                    track.advance(&posted.link);
                    after.rely(posted.link.sum);
                    let mode = Mode::Following { track: Box::new(track), clock, hears: hears - 1 };
                    self.set(&mut after, at, mode);
                    next(after, &what);
                }
                Heard::Read => self.catch_up(&after, at, &track, clock, hears - 1, &what, next),
            }
        }
        self.catch_up(state, at, track, clock, hears - 1, &|| format!("follower {at}"), next);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one mode")]
    pub(super) fn catch_up(
        &self,
        state: &State,
        at: usize,
        track: &Track,
        clock: Clock,
        hears: u8,
        what: Name<'_>,
        next: Next<'_>,
    ) {
        let began = clock.reading(state.time());
        let from = track.position();
        let start = Reader::tail_start(from.tip.message, self.timing());
        for reading in state.guild.readings(&self.laws, state.now, start) {
            let (mut track, mut clock, mut after) = (track.clone(), clock, state.clone());
            let (mut chain, _) = reading.walk(from, self.timing);
            reading.newest().into_iter().for_each(|newest| clock.saw(newest, state.time()));
            // Then it reads the whole journal: all that follows the base is in the tail, too.
            if track.is_lost(self.shows(state, &reading, from.tip.sum), began) {
                let base = self.base(state);
                track = Track::new(base.clone(), base.tip.message);
                chain = reading.walk(base, self.timing).0;
            }
            for link in chain.iter().take(track.settle(&chain, began).frames) {
                track.advance(link);
                after.rely(link.sum);
            }
            self.set(&mut after, at, Mode::Following { track: Box::new(track), clock, hears });
            let shown: Vec<String> = chain.iter().map(name).collect();
            next(after, &|| format!("{} reads {shown:?}", what()));
        }
    }
}
