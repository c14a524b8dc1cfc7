//! One undertaking of an owner, step by step: posting a frame, making certain of its term, looking at the tail.

use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::journal::rules::owner::{Ending, Opened, Owner, Term};
use crate::journal::rules::{Event, Goal, Position, Reply, Step, Verdict, Walked};

/// An undertaking on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    goal: Goal,
    stage: Stage,
    /// A lower bound of Discord's clock when the last read began.
    started: u64,
    attached: bool,
    /// Whether the frame was posted before, so that a refusal does not prove that nothing was stored.
    again: bool,
    /// The frame of somebody else's at the tip that a reply or a look showed.
    rival: Option<Sum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// Waiting until a read can decide about the `open`.
    Maturing,
    /// Reading whether the `open` counts at once.
    Acknowledging,
    /// Reading what decides about the `open`.
    Settling,
    /// Reading whether somebody follows the tip.
    Looking,
    /// The frame is posted for the first time.
    Posting,
    /// Rule 2: one read decides; a frame that it lacks, a second one.
    Confirming,
    /// Rule 3: the frame is posted against a rival.
    Contending,
    /// Rules 2 and 3: waiting until everything is visible.
    Waiting,
    /// Rules 2 and 3: the read that decides.
    Deciding,
}

impl Owner {
    /// Begins an undertaking. There is never more than one.
    pub(crate) fn begin(&mut self, goal: Goal, now: Duration) -> (Flow, Step) {
        let mut flow =
            Flow { goal, stage: Stage::Posting, started: 0, attached: false, again: false, rival: None };
        let step = match (&self.term, goal) {
            (Term::Ended(_), _) => Step::Done(Verdict::Ended),
            (Term::Unsettled(opened), Goal::Acknowledge) => self.acknowledge(&mut flow, opened.clone(), now),
            (Term::Unsettled(opened), _) | (Term::Counted(opened), Goal::Verify | Goal::Look) => {
                flow.stage = Stage::Maturing;
                Step::Wait(opened.at)
            }
            (Term::Counted(_) | Term::Certain, _) => self.proceed(&mut flow, now),
        };
        (flow, step)
    }

    /// Goes on with what came of the last step.
    pub(crate) fn advance(&mut self, flow: &mut Flow, event: Event, now: Duration) -> Step {
        if let Some(message) = event.newest() {
            self.clock.saw(message, now);
        }
        match (flow.stage, event) {
            (Stage::Maturing, Event::Waited) => match &self.term {
                Term::Unsettled(opened) | Term::Counted(opened) => {
                    let before = opened.before.clone();
                    self.walk(flow, Stage::Settling, before, now)
                }
                Term::Certain | Term::Ended(_) => self.proceed(flow, now),
            },
            (Stage::Acknowledging | Stage::Settling, Event::Walked(walked)) => {
                self.settle(flow, &walked, now)
            }
            (Stage::Posting, Event::Replied(reply)) => self.replied(flow, reply, now),
            (Stage::Contending, Event::Replied(reply)) => self.contended(flow, reply, now),
            (Stage::Waiting, Event::Waited) => self.walk(flow, Stage::Deciding, self.position(), now),
            (Stage::Confirming | Stage::Deciding, Event::Walked(walked)) => self.decide(flow, &walked, now),
            (Stage::Confirming | Stage::Deciding, Event::Unread) => self.unknown(Ending::Unreadable),
            (Stage::Looking, Event::Looked { first: Some(rival), .. }) => {
                Step::Done(Verdict::Contested { rival })
            }
            (Stage::Looking, Event::Looked { torn: true, .. }) => self.vanished(),
            (Stage::Looking, Event::Looked { first: None, rooted: true, .. }) => {
                self.hear(flow.started);
                Step::Done(Verdict::Settled)
            }
            // A read that failed before anything depended on it, or an event that no step asked for.
            _ => Step::Done(Verdict::PutOff),
        }
    }

    /// The term is as certain as the goal asks.
    fn proceed(&mut self, flow: &mut Flow, now: Duration) -> Step {
        match flow.goal {
            Goal::Acknowledge | Goal::Settle | Goal::Verify => Step::Done(Verdict::Settled),
            Goal::Append { .. } => {
                flow.stage = Stage::Posting;
                Step::Post { nonce: self.nonce(), attached: flow.attached }
            }
            Goal::Look => {
                flow.stage = Stage::Looking;
                flow.started = self.clock.reading(now);
                Step::Look
            }
            // It goes out under the contention's own nonce at once: a post under the tip's would only bring back the
            // rival's frame, and the second might come too late for the grace.
            Goal::Object { rival, .. } => self.contend(flow, Some(rival)),
        }
    }

    /// An `open` after a clean close under the same name: certain by rule 1 or 2, without waiting.
    fn acknowledge(&mut self, flow: &mut Flow, opened: Opened, now: Duration) -> Step {
        let gap = self.tip.message.time_ms().saturating_sub(opened.before.tip.message.time_ms());
        if gap > self.timing.window {
            return self.walk(flow, Stage::Acknowledging, opened.before, now);
        }
        self.term = Term::Counted(opened);
        self.proceed(flow, now)
    }

    /// A read shows whether the `open` is the frame after what it follows.
    fn settle(&mut self, flow: &mut Flow, walked: &Walked, now: Duration) -> Step {
        let (Term::Unsettled(opened) | Term::Counted(opened)) = &self.term else {
            return self.proceed(flow, now);
        };
        if !walked.rooted {
            return self.unrooted(flow.stage);
        }
        let opened = opened.clone();
        let first = walked.chain.first().filter(|first| first.sum == opened.open);
        if first.is_some() && walked.torn {
            return self.unrooted(flow.stage);
        }
        if let Some(first) = first.filter(|first| first.sum == self.tip.sum) {
            // The reply may have shown a second copy, made when the nonce was forgotten. The first one dates the
            // frame, and what followed it before there was a second must not be missed.
            self.tip = *first;
            self.heard = self.heard.min(first.message.time_ms());
        }
        self.hear_walk(walked, flow.started);
        let follows = first.is_some();
        match (follows, flow.stage) {
            (true, Stage::Acknowledging) => self.term = Term::Counted(opened),
            (true, _) => self.term = Term::Certain,
            (false, Stage::Acknowledging) => return Step::Done(Verdict::PutOff),
            (false, _) => {
                self.fence(&self.holder.clone());
                return Step::Done(Verdict::Ended);
            }
        }
        self.proceed(flow, now)
    }

    /// What the `open` follows, or what follows the `open`, is not there: a later owner has trimmed it, or somebody has
    /// deleted it.
    fn unrooted(&mut self, stage: Stage) -> Step {
        if stage == Stage::Acknowledging {
            return Step::Done(Verdict::PutOff);
        }
        self.vanished()
    }

    /// What decided about the term is not there.
    fn vanished(&mut self) -> Step {
        self.end(Ending::Vanished);
        Step::Done(Verdict::Ended)
    }

    /// The first post of a frame was answered.
    fn replied(&mut self, flow: &mut Flow, reply: Reply, now: Duration) -> Step {
        flow.again = true;
        match (reply, flow.goal) {
            (Reply::Own(message), Goal::Append { sum, kind }) if self.trusts(message) => {
                Step::Done(Verdict::Durable(self.extend(sum, kind, message)))
            }
            (Reply::Own(_), _) => self.walk(flow, Stage::Confirming, self.position(), now),
            (Reply::Rival(rival, _), _) => self.contend(flow, Some(rival)),
            (Reply::Garbled(_), _) => {
                flow.attached = true;
                self.contend(flow, None)
            }
            (Reply::Deleted, _) => self.contend(flow, None),
            (Reply::Lost, _) => self.unknown(Ending::Unanswered),
            (Reply::Refused, _) => Step::Done(Verdict::Refused),
        }
    }

    /// Rule 3: somebody else's frame follows the tip too, or may. The frame is posted once more, under a nonce of
    /// this contention's own; when everything is visible, the chain decides.
    fn contend(&mut self, flow: &mut Flow, rival: Option<Sum>) -> Step {
        flow.stage = Stage::Contending;
        flow.rival = rival.or(flow.rival);
        Step::Post { nonce: self.contention(rival), attached: flow.attached }
    }

    /// The second post of a frame was answered.
    fn contended(&mut self, flow: &mut Flow, reply: Reply, now: Duration) -> Step {
        let again = std::mem::replace(&mut flow.again, true);
        match reply {
            Reply::Own(_) | Reply::Rival(..) => self.wait(flow, now),
            Reply::Garbled(_) if flow.attached => self.wait(flow, now),
            Reply::Garbled(_) => {
                flow.attached = true;
                self.contend(flow, None)
            }
            Reply::Deleted => self.contend(flow, None),
            Reply::Refused if !again => Step::Done(Verdict::Refused),
            // A try of an earlier post may have stored it, and its answer been lost.
            Reply::Lost | Reply::Refused => self.unknown(Ending::Unanswered),
        }
    }

    /// Rules 2 and 3: on the chain the frame is durable, and what follows it decides about the term.
    fn decide(&mut self, flow: &mut Flow, walked: &Walked, now: Duration) -> Step {
        let (Goal::Append { sum, .. } | Goal::Object { sum, .. }) = flow.goal else {
            return Step::Done(Verdict::PutOff);
        };
        if !walked.rooted && flow.stage == Stage::Deciding {
            return self.unknown(Ending::Vanished);
        }
        let kind = flow.kind();
        let found = walked.chain.iter().find(|tip| tip.sum == sum && walked.rooted);
        if found.is_some() && walked.torn {
            // What is young may be missing now, and is there when the read is made that decides.
            return match flow.stage {
                Stage::Deciding => self.unknown(Ending::Vanished),
                _ => self.wait(flow, now),
            };
        }
        if let Some(found) = found {
            let tip = self.extend(sum, kind, found.message);
            match walked.chain.last() {
                Some(last) if last.sum != sum => self.fence(&walked.end),
                _ => self.hear(flow.started),
            }
            return Step::Done(Verdict::Durable(tip));
        }
        if flow.stage == Stage::Confirming {
            return self.wait(flow, now);
        }
        // A frame that is there and lost has lost for good. One that is nowhere, although it was posted, was deleted,
        // or is yet to be stored by a try that was given up.
        if walked.seen && !walked.chain.is_empty() {
            self.fence(&self.holder.clone());
            return Step::Done(Verdict::Ended);
        }
        self.unknown(Ending::Vanished)
    }

    /// Waits until all that was posted by now is visible.
    fn wait(&self, flow: &mut Flow, now: Duration) -> Step {
        flow.stage = Stage::Waiting;
        Step::Wait(now.saturating_add(self.timing.settle()))
    }

    fn walk(&self, flow: &mut Flow, stage: Stage, from: Position, now: Duration) -> Step {
        flow.stage = stage;
        flow.started = self.clock.reading(now);
        Step::Walk { from, rival: flow.rival }
    }

    fn unknown(&mut self, ending: Ending) -> Step {
        self.end(ending);
        Step::Done(Verdict::Unknown)
    }

    /// Its frame at the end of the chain, and its term.
    pub(crate) fn position(&self) -> Position {
        Position { tip: self.tip, holder: self.holder.clone(), timing: self.timing }
    }
}

impl Flow {
    fn kind(&self) -> Kind {
        match self.goal {
            Goal::Append { kind, .. } => kind,
            _ => Kind::Data,
        }
    }
}

#[cfg(test)]
mod tests;
