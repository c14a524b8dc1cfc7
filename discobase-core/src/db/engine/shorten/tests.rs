//! Frames of random commits, with checkpoints between them: what shortened frames say is what was committed, and whoever
//! reads from a checkpoint on has all of every row that changed.

use proptest::prelude::*;

use super::*;
use crate::batch::{ColumnDef, TableDef};
use crate::ids::ChannelId;
use crate::row::RowWriter;
use crate::value::ValueRef;

const TABLE: TableId = TableId::new(1);

fn def() -> TableDef {
    let column = |name: &str, ty: &str| ColumnDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        variants: Vec::new(),
        nullable: false,
        max_len: None,
        default: None,
    };
    TableDef {
        id: TABLE,
        name: "people".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(1),
        columns: vec![column("name", "text"), column("points", "i64"), column("level", "i64")],
        indexes: Vec::new(),
    }
}

fn person(points: i128, level: i128) -> Row {
    let mut row = RowWriter::new(3);
    row.put(ValueRef::Text("somebody with a name"));
    [points, level].into_iter().for_each(|number| row.put(ValueRef::Int(number)));
    row.finish()
}

fn schema() -> Commit {
    Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }
}

/// A step of a writer's life.
#[derive(Debug, Clone)]
enum Step {
    Insert,
    Update {
        pick: usize,
        points: u8,
        level: bool,
    },
    Delete {
        pick: usize,
    },
    /// The frame is full.
    Frame,
    /// A checkpoint begins, between two frames.
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0..10_u8, any::<usize>(), any::<u8>(), any::<bool>()).prop_map(|(kind, pick, points, level)| {
            match kind {
                0 | 1 => Step::Insert,
                2..=5 => Step::Update { pick, points, level },
                6 => Step::Delete { pick },
                7 | 8 => Step::Frame,
                _ => Step::Checkpoint,
            }
        });
    proptest::collection::vec(step, 0..80)
}

/// A writer: what it has committed, and what it has posted.
struct Life {
    newest: Tables,
    visible: Tables,
    floor: Seq,
    queue: Vec<Commit>,
    /// The frames, and behind how many commits the last checkpoint was cut at the time.
    frames: Vec<(Seq, Vec<Commit>)>,
}

impl Life {
    fn new() -> Self {
        let mut newest = Tables::default();
        newest.apply(&schema()).unwrap();
        Self { visible: newest.clone(), floor: newest.seq(), newest, queue: Vec::new(), frames: Vec::new() }
    }

    fn take(&mut self, step: &Step) {
        let seq = self.newest.seq().next();
        let table = self.newest.loaded(TABLE).unwrap();
        let picked = |pick: &usize| table.rows().nth(pick % table.len().max(1)).map(|(row, _)| row);
        let op = match step {
            Step::Insert => Some(Op::Insert { table: TABLE, row: table.next_row(), values: person(0, 0) }),
            Step::Update { pick, points, level } => picked(pick).map(|row| Op::Update {
                table: TABLE,
                row,
                values: person((*points).into(), (*level).into()),
            }),
            Step::Delete { pick } => picked(pick).map(|row| Op::Delete { table: TABLE, row }),
            Step::Frame => return self.flush(),
            // Cut between two frames: what is queued is not in it.
            Step::Checkpoint => {
                self.floor = self.visible.seq();
                return;
            }
        };
        if let Some(op) = op {
            let commit = Commit { seq, ops: vec![op] };
            self.newest.apply(&commit).unwrap();
            self.queue.push(commit);
        }
    }

    fn flush(&mut self) {
        let mut commits = std::mem::take(&mut self.queue);
        shorten(&mut commits, &self.visible, self.floor);
        self.visible = self.newest.clone();
        self.frames.push((self.floor, commits));
    }
}

fn rows(tables: &Tables) -> Vec<(RowId, Seq, Row)> {
    let table = tables.loaded(TABLE).unwrap();
    table.rows().map(|(row, stored)| (row, stored.version, stored.row.to_row())).collect()
}

/// Refuses a patch of a row that the frames behind a checkpoint do not have.
fn check_tail(frames: &[(Seq, Vec<Commit>)], checkpoint: Seq) -> Result<usize, TestCaseError> {
    let (mut whole, mut patches) = (std::collections::BTreeSet::new(), 0);
    let commits = frames.iter().flat_map(|(_, commits)| commits).filter(|commit| commit.seq > checkpoint);
    for op in commits.flat_map(|commit| &commit.ops) {
        match op {
            Op::Insert { row, .. } | Op::Update { row, .. } => _ = whole.insert(*row),
            Op::Delete { row, .. } => _ = whole.remove(row),
            Op::Patch { row, .. } => {
                patches += 1;
                prop_assert!(whole.contains(row), "nothing behind commit {} has row {}", checkpoint, row);
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(patches)
}

proptest! {
    #[test]
    fn what_is_left_out_is_in_the_frames_behind_the_checkpoint(steps in steps()) {
        let mut life = Life::new();
        steps.iter().for_each(|step| life.take(step));
        life.flush();
        let mut replayed = Tables::default();
        replayed.apply(&schema()).unwrap();
        for (_, commits) in &life.frames {
            commits.iter().for_each(|commit| replayed.apply(commit).unwrap());
        }
        prop_assert_eq!(rows(&replayed), rows(&life.newest));
        // From any checkpoint on, be it that of the time or a later one.
        for (checkpoint, _) in &life.frames {
            check_tail(&life.frames, *checkpoint)?;
        }
    }
}

#[test]
fn a_row_is_whole_once_and_patched_then() {
    let mut life = Life::new();
    let update = |points| Step::Update { pick: 0, points, level: false };
    for step in [Step::Insert, update(1), Step::Frame, update(2), Step::Checkpoint, update(3), Step::Frame] {
        life.take(&step);
    }
    // The checkpoint was cut before the frame of the second and the third update left.
    let kinds = |(_, commits): &(Seq, Vec<Commit>)| -> Vec<&str> {
        let ops = commits.iter().flat_map(|commit| &commit.ops);
        let kind = |op: &Op| match op {
            Op::Insert { .. } => "insert",
            Op::Update { .. } => "update",
            Op::Patch { .. } => "patch",
            _ => "other",
        };
        ops.map(kind).collect()
    };
    let kinds: Vec<_> = life.frames.iter().map(kinds).collect();
    assert_eq!(kinds, [vec!["insert", "patch"], vec!["update", "patch"]]);
}
