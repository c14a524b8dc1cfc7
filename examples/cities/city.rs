//! The table, and reading it from JSON lines.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use discobase::Table;
use flate2::bufread::GzDecoder;
use serde::Deserialize;

/// A populated place. Source of the data: GeoNames, CC BY 4.0 (see `examples/data/README.md`).
#[derive(Debug, Clone, PartialEq, Table, Deserialize)]
#[table(name = "cities")]
pub(crate) struct City {
    /// GeoNames id.
    #[table(key)]
    pub(crate) id: u64,
    #[table(index)]
    pub(crate) name: String,
    /// ISO 3166 code of two letters.
    #[table(index)]
    pub(crate) country: String,
    /// The country's first-level division.
    pub(crate) admin: String,
    #[table(index)]
    pub(crate) population: u32,
    /// GeoNames feature code.
    pub(crate) feature: String,
    pub(crate) longitude: f64,
    pub(crate) latitude: f64,
}

/// The cities that come with the project.
const EMBEDDED: &[u8] = include_bytes!("../data/cities-10000.jsonl.gz");

/// Reads a file of JSON lines, or the cities that come with the project.
pub(crate) fn read(file: Option<&Path>) -> Result<Vec<City>, Box<dyn Error>> {
    let Some(path) = file else { return parse(GzDecoder::new(EMBEDDED)) };
    let file = File::open(path).map_err(|error| format!("{} can't be opened: {error}", path.display()))?;
    let file = BufReader::new(file);
    let cities = match path.extension() {
        Some(extension) if extension == "gz" => parse(GzDecoder::new(file)),
        _ => parse(file),
    };
    cities.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse(lines: impl Read) -> Result<Vec<City>, Box<dyn Error>> {
    let mut cities = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(lines).lines()) {
        let city = serde_json::from_str(&line?).map_err(|error| format!("line {number}: {error}"))?;
        cities.push(city);
    }
    Ok(cities)
}
