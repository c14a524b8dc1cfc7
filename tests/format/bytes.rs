//! What the page says of bytes: numbers, values, rows, the runs of a checkpoint, definitions.

use serde_json::{Value as Json, json};

use crate::reader::Table;

/// 3: bytes that are read from the front.
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(crate) fn varint(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = self.varint();
        self.take(usize::try_from(length).unwrap())
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    pub(crate) fn value(&mut self) -> Json {
        match self.byte() {
            0 => Json::Null,
            1 => json!(false),
            2 => json!(true),
            3 => json!(self.varint()),
            4 => json!(-1 - i64::try_from(self.varint()).unwrap()),
            5 => json!(f64::from_le_bytes(self.take(8).try_into().unwrap())),
            6 => json!(self.text()),
            tag => panic!("no value of this test has the tag {tag}"),
        }
    }

    pub(crate) fn row(&mut self) -> Vec<Json> {
        (0..self.varint()).map(|_| self.value()).collect()
    }

    /// 4.2: the segments of a table's runs, or of an index's, in their order.
    pub(crate) fn runs(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        for _ in 0..self.varint() {
            self.varint();
            self.varint();
            for _ in 0..self.varint() {
                let (channel, message, hash) = (self.varint(), self.varint(), self.take(32).to_vec());
                self.varint();
                self.varint();
                let count = self.varint();
                let block = |_| {
                    self.bytes();
                    let [length, unpacked] = [self.varint(), self.varint()];
                    self.take(8);
                    (usize::try_from(length).unwrap(), usize::try_from(unpacked).unwrap())
                };
                let blocks = (0..count).map(block).collect();
                let filter = usize::try_from(self.varint()).unwrap();
                if filter > 0 {
                    self.take(8);
                }
                segments.push(Segment { channel, message, hash, blocks, filter });
            }
        }
        segments
    }

    /// 4: a table's definition: its id, and what is said of it here.
    pub(crate) fn definition(&mut self) -> (u64, Table) {
        let (id, name) = (self.varint(), self.text());
        self.varint();
        self.varint();
        for _ in 0..self.varint() {
            self.text();
            self.text();
            (0..self.varint()).for_each(|_| _ = self.text());
            self.byte();
            self.varint();
            if self.byte() == 1 {
                self.value();
            }
        }
        let mut references = Vec::new();
        for _ in 0..self.varint() {
            let kind = self.byte();
            let columns = (0..self.varint()).map(|_| self.varint()).collect();
            self.varint();
            if kind & 16 != 0 {
                let parent = self.text();
                let on_delete = match self.byte() {
                    1 => "restrict",
                    2 => "cascade",
                    3 => "set_null",
                    other => panic!("no reference has {other}"),
                };
                references.push((columns, parent, on_delete.to_owned()));
            }
        }
        (id, Table { name, references, ..Table::default() })
    }
}

/// 4.2: a file of a run, and the length of each of its blocks, in the file and unpacked.
pub(crate) struct Segment {
    pub(crate) channel: u64,
    pub(crate) message: u64,
    pub(crate) hash: Vec<u8>,
    pub(crate) blocks: Vec<(usize, usize)>,
    /// The length of its filter, 0 without one.
    pub(crate) filter: usize,
}

impl Segment {
    /// 4.3: whether the filter, which is what is left of the file, lets a row's id pass.
    pub(crate) fn passes(&self, filter: &[u8], id: u64) -> bool {
        let hash = blake3::hash(&id.to_be_bytes());
        let number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        let (a, b) = (number & 0xffff_ffff, (number >> 32) | 1);
        self.filter == 0
            || (0..7).map(|k| (a + k * b) % (self.filter as u64 * 8)).all(|bit| {
                let byte = filter[usize::try_from(bit / 8).unwrap()];
                byte & (1 << (bit % 8)) != 0
            })
    }
}
