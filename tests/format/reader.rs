//! A reader of a guild, written from `docs/format.md` alone; the numbers in comments are its sections.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value as Json;

use crate::bytes::{In, Segment};

/// The tables by their names.
pub(crate) type Tables = BTreeMap<String, Table>;

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Its rows by row id.
    pub(crate) rows: BTreeMap<u64, Vec<Json>>,
    /// 4.5: of each reference the columns, the table that they refer to, and what a delete there does.
    pub(crate) references: Vec<(Vec<u64>, String, String)>,
}

pub(crate) struct Guild {
    pub(crate) api: String,
    pub(crate) token: String,
    /// How many filters were seen.
    pub(crate) filters: Cell<usize>,
    /// How many patches were applied.
    pub(crate) patches: Cell<usize>,
}

/// A frame: the JSON of its message, and its body if that is attached.
struct Frame {
    id: u64,
    json: Json,
    body: Option<Vec<u8>>,
}

/// Who may write after a frame (9).
#[derive(Clone)]
struct Holder {
    epoch: u64,
    inc: String,
    owner: String,
    closed: bool,
}

impl Guild {
    pub(crate) fn read(&self, guild: u64, db: &str) -> Tables {
        let journal = self.journal(guild, db);
        let messages = self.messages(&journal);
        let mut frames: Vec<Frame> = messages.iter().filter_map(|message| self.frame(message, db)).collect();
        frames.sort_by_key(|frame| frame.id);
        let mut state = State::default();
        let (mut tip, mut holder, grace) = self.base(&frames, &mut state);
        while let Some(frame) = next(&frames, &tip, &holder, grace) {
            match frame.text("kind") {
                "data" => state.apply(frame),
                "open" => holder = frame.holder(false),
                "close" => holder.closed = true,
                _ => {}
            }
            frame.text("sum").clone_into(&mut tip);
        }
        self.patches.set(state.patches);
        state.tables.into_values().map(|table| (table.name.clone(), table)).collect()
    }

    /// 15, step 1: of several journals the one with the oldest genesis; there is one here.
    fn journal(&self, guild: u64, db: &str) -> String {
        let channels: Vec<Json> =
            json_of(&self.get(&format!("{}/api/v10/guilds/{guild}/channels", self.api)));
        let topic = |channel: &Json| serde_json::from_str(channel["topic"].as_str()?).ok();
        let is_it = |topic: Json| topic["discobase"] == 1 && topic["db"] == db && topic["role"] == "journal";
        let journal = channels.iter().find(|channel| topic(channel).is_some_and(is_it));
        journal.unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn messages(&self, channel: &str) -> Vec<Json> {
        let mut all = Vec::<Json>::new();
        loop {
            let after = all.iter().map(|message| number(&message["id"])).max().unwrap_or(0);
            let url = format!("{}/api/v10/channels/{channel}/messages?limit=100&after={after}", self.api);
            let page: Vec<Json> = json_of(&self.get(&url));
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// 2, 4: a frame as text, or attached.
    fn frame(&self, message: &Json, db: &str) -> Option<Frame> {
        let content = message["content"].as_str()?;
        let inner = content.strip_prefix("```json\n")?.strip_suffix("\n```")?;
        let json: Json = serde_json::from_str(inner).ok()?;
        let id = number(&message["id"]);
        if json["discobase"] != 1 || json["db"] != db {
            return None;
        }
        if json.get("file").is_none() {
            return Some(Frame { id, json, body: None });
        }
        let unpacked = usize::try_from(json["unpacked"].as_u64()?).ok()?;
        let file = self.get(message["attachments"][0]["url"].as_str()?);
        let canonical = zstd::bulk::decompress(&file, unpacked).ok()?;
        if blake3::hash(&canonical).to_hex().as_str() != json["sum"] {
            return None;
        }
        let mut header = In(&canonical);
        header.take(10);
        header.bytes();
        header.byte();
        header.varint();
        header.take(8);
        header.bytes();
        header.take(32);
        Some(Frame { id, json, body: Some(header.0.to_vec()) })
    }

    /// 15: where to begin. The latest checkpoint that is on the chain from what it covers, else the genesis.
    fn base(&self, frames: &[Frame], state: &mut State) -> (String, Holder, u64) {
        for frame in frames.iter().rev().filter(|frame| frame.text("kind") == "checkpoint") {
            let mut body = In(frame.body.as_ref().unwrap());
            let grace = [body.varint(), body.varint()][1];
            (0..4).for_each(|_| _ = body.varint());
            body.take(32);
            body.varint();
            let mut tip = hex(body.take(32));
            body.varint();
            let (epoch, inc, owner) = (body.varint(), hex(body.take(8)), body.text());
            let base = (tip.clone(), Holder { epoch, inc, owner, closed: false }, grace);
            let mut holder = base.1.clone();
            while let Some(next) = next(frames, &tip, &holder, grace).filter(|next| next.id <= frame.id) {
                if next.id == frame.id {
                    self.load(&mut body, state);
                    return base;
                }
                holder = if next.text("kind") == "open" { next.holder(false) } else { holder };
                next.text("sum").clone_into(&mut tip);
            }
        }
        let genesis = frames.iter().find(|frame| frame.text("kind") == "genesis").unwrap();
        (genesis.text("sum").to_owned(), genesis.holder(true), genesis.json["grace_ms"].as_u64().unwrap())
    }

    /// 4.2, from `seq` on: the runs of every table, a later row or tombstone replacing an earlier one.
    fn load(&self, body: &mut In<'_>, state: &mut State) {
        state.seq = body.varint();
        body.varint();
        for _ in 0..body.varint() {
            let (id, mut table) = body.definition();
            body.varint();
            let count = body.varint();
            for segment in body.runs() {
                self.segment(&segment, &mut table.rows);
            }
            assert_eq!(table.rows.len() as u64, count, "{}", table.name);
            (0..body.varint()).for_each(|_| _ = body.runs());
            state.tables.insert(id, table);
        }
    }

    /// 4.3: a file of rows, block by block.
    fn segment(&self, segment: &Segment, rows: &mut BTreeMap<u64, Vec<Json>>) {
        let url = format!("{}/api/v10/channels/{}/messages/{}", self.api, segment.channel, segment.message);
        let message: Json = serde_json::from_slice(&self.get(&url)).unwrap();
        let file = self.get(message["attachments"][0]["url"].as_str().unwrap());
        assert_eq!(blake3::hash(&file).as_bytes(), &segment.hash[..]);
        let mut file = In(&file[10..]);
        let mut all = Vec::new();
        for (length, unpacked) in &segment.blocks {
            let block = zstd::bulk::decompress(file.take(*length), *unpacked).unwrap();
            let mut block = In(&block);
            let count = block.varint();
            let (mut ids, _versions, mut lengths) = (In(block.bytes()), block.bytes(), In(block.bytes()));
            let mut id = 0;
            for _ in 0..count {
                id += ids.varint();
                all.push(id);
                match lengths.varint() {
                    0 => rows.remove(&id),
                    length => rows.insert(id, In(block.take(usize::try_from(length).unwrap())).row()),
                };
            }
        }
        let filter = file.take(segment.filter);
        assert!(file.0.is_empty(), "the file ends with its filter");
        assert!(all.into_iter().all(|id| segment.passes(filter, id)), "a filter denies what the file has");
        self.filters.set(self.filters.get() + usize::from(segment.filter > 0));
    }

    fn get(&self, url: &str) -> Vec<u8> {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let token = &self.token;
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bot {token}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let body = reply.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
        reply.split_off(body)
    }
}

/// 9.
fn next<'a>(frames: &'a [Frame], tip: &str, holder: &Holder, grace: u64) -> Option<&'a Frame> {
    let followers = || frames.iter().filter(|frame| frame.text("prev") == tip);
    let opens = |frame: &&Frame| frame.text("kind") == "open" && frame.epoch() == holder.epoch + 1;
    let own = |frame: &&Frame| match holder.closed {
        true => opens(frame) && frame.text("owner") == holder.owner,
        false => {
            ["data", "checkpoint", "close"].contains(&frame.text("kind"))
                && frame.epoch() == holder.epoch
                && frame.text("inc") == holder.inc
        }
    };
    let time = |frame: &Frame| frame.id >> 22;
    match (followers().find(own), followers().find(|frame| opens(frame) && !own(frame))) {
        (Some(own), Some(open)) if time(own) > time(open) + grace => Some(open),
        (own, open) => own.or(open),
    }
}

impl Frame {
    fn text(&self, field: &str) -> &str {
        self.json[field].as_str().unwrap()
    }

    fn epoch(&self) -> u64 {
        self.json["epoch"].as_u64().unwrap()
    }

    fn holder(&self, closed: bool) -> Holder {
        let (inc, owner) = (self.text("inc").to_owned(), self.text("owner").to_owned());
        Holder { epoch: self.epoch(), inc, owner, closed }
    }
}

/// Tables by id, and the last commit that is in them.
#[derive(Default)]
struct State {
    tables: BTreeMap<u64, Table>,
    seq: u64,
    patches: usize,
}

impl State {
    /// 4, 5: the commits of a data frame, those that a checkpoint holds already left out.
    fn apply(&mut self, frame: &Frame) {
        match &frame.body {
            None => {
                let first = frame.json["first"].as_u64().unwrap();
                for (offset, commit) in frame.json["commits"].as_array().unwrap().iter().enumerate() {
                    for op in commit.as_array().unwrap() {
                        self.apply_text(first + offset as u64, op);
                    }
                }
            }
            Some(body) => {
                let mut body = In(body);
                let first = body.varint();
                for offset in 0..body.varint() {
                    for _ in 0..body.varint() {
                        self.apply_binary(first + offset, &mut body);
                    }
                }
            }
        }
    }

    fn apply_text(&mut self, seq: u64, op: &Json) {
        if op[0] == "schema" {
            return self.create(seq, op[1]["table"].as_u64().unwrap(), definition(&op[1]));
        }
        if op[0] == "alter" {
            return self.alter(seq, op[1]["table"].as_u64().unwrap(), definition(&op[1]));
        }
        if op[0] == "applied" || op[0] == "reverted" {
            return;
        }
        if op[0] == "drop" {
            return self.end(seq, op[1].as_u64().unwrap());
        }
        let row = op.get(3).map(|row| row.as_array().unwrap().clone());
        let (table, id) = (op[1].as_u64().unwrap(), op[2].as_u64().unwrap());
        match row {
            Some(pairs) if op[0] == "patch" => self.patch(seq, table, id, &pairs),
            row => self.put(seq, table, id, row),
        }
    }

    fn apply_binary(&mut self, seq: u64, body: &mut In<'_>) {
        let code = body.byte();
        if code == 4 {
            let (id, table) = body.definition();
            return self.create(seq, id, table);
        }
        if code == 5 {
            let (id, table) = body.definition();
            return self.alter(seq, id, table);
        }
        if code == 6 {
            return self.end(seq, body.varint());
        }
        if code == 7 {
            // The record of a migration step says nothing of rows.
            body.text();
            body.text();
            body.take(24);
            return;
        }
        if code == 8 {
            body.text();
            return;
        }
        let (table, id) = (body.varint(), body.varint());
        if code == 9 {
            let pairs = body.row();
            return self.patch(seq, table, id, &pairs);
        }
        let row = (code != 3).then(|| body.row());
        self.put(seq, table, id, row);
    }

    fn create(&mut self, seq: u64, id: u64, table: Table) {
        if seq > self.seq {
            self.tables.insert(id, table);
        }
    }

    fn alter(&mut self, seq: u64, id: u64, table: Table) {
        if seq > self.seq {
            let known = self.tables.get_mut(&id).unwrap();
            *known = Table { rows: std::mem::take(&mut known.rows), ..table };
        }
    }

    fn end(&mut self, seq: u64, table: u64) {
        if seq > self.seq {
            self.tables.remove(&table);
        }
    }

    /// 4.6: pairs of a column and its value.
    fn patch(&mut self, seq: u64, table: u64, id: u64, pairs: &[Json]) {
        if seq <= self.seq {
            return;
        }
        self.patches += 1;
        let row = self.tables.get_mut(&table).unwrap().rows.get_mut(&id).unwrap();
        for pair in pairs.chunks(2) {
            row[usize::try_from(pair[0].as_u64().unwrap()).unwrap()] = pair[1].clone();
        }
    }

    fn put(&mut self, seq: u64, table: u64, id: u64, row: Option<Vec<Json>>) {
        if seq <= self.seq {
            return;
        }
        let rows = &mut self.tables.get_mut(&table).unwrap().rows;
        match row {
            Some(row) => drop(rows.insert(id, row)),
            None => drop(rows.remove(&id)),
        }
    }
}

/// 5: the same as text.
fn definition(json: &Json) -> Table {
    let reference = |index: &Json| {
        let to = index.get("references")?;
        let columns = index["columns"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
        let text = |field: &str| to[field].as_str().unwrap().to_owned();
        Some((columns, text("table"), text("on_delete")))
    };
    let references = json["indexes"].as_array().unwrap().iter().filter_map(reference).collect();
    Table { name: json["name"].as_str().unwrap().to_owned(), references, ..Table::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(json: &Json) -> u64 {
    json.as_str().unwrap().parse().unwrap()
}

fn json_of(bytes: &[u8]) -> Vec<Json> {
    serde_json::from_slice(bytes).unwrap()
}
